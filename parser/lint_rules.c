/* parser/lint_rules.c - the table of all rules. */
#include <ctype.h>
#include <string.h>

#include "core/buf.h"
#include "core/cleanup.h"

#include "parser/lint_internal.h"

#define NODE(name) .node = df_lint_##name
#define FILE_RULE(name) .file = df_lint_##name

const struct df_rule df_rules[] = {
	[DF_R_CONSISTENT_CASING] =
		{"ConsistentInstructionCasing",
		 "all instructions are in the same case, upper or lower",
		 STV_SEV_WARNING, .has_fix = true, FILE_RULE(casing)},
	[DF_R_COPY_IGNORED] = {"CopyIgnoredFile",
			       "what COPY and ADD name is not left out by the "
			       "ignore file",
			       STV_SEV_WARNING, .is_experimental = true,
			       NODE(copy_ignored)},
	[DF_R_DUPLICATE_STAGE] = {"DuplicateStageName",
				  "the names of stages are unique",
				  STV_SEV_WARNING, FILE_RULE(duplicates)},
	[DF_R_EXPOSE_FORMAT] = {"ExposeInvalidFormat",
				"EXPOSE names ports of the container, no "
				"addresses and no ports of the host",
				STV_SEV_WARNING, NODE(expose_format)},
	[DF_R_EXPOSE_PROTO] = {"ExposeProtoCasing",
			       "protocols of EXPOSE are in lower case",
			       STV_SEV_WARNING, .has_fix = true,
			       NODE(expose_proto)},
	[DF_R_FROM_AS_CASING] = {"FromAsCasing",
				 "AS is written in the case of its FROM",
				 STV_SEV_WARNING, .has_fix = true,
				 NODE(from_as)},
	[DF_R_FROM_PLATFORM_CONST] = {"FromPlatformFlagConstDisallowed",
				      "FROM --platform is no constant",
				      STV_SEV_WARNING, NODE(const_platform)},
	[DF_R_BASE_PLATFORM] = {"InvalidBaseImagePlatform",
				"the base image is of the platform that is "
				"built for",
				STV_SEV_WARNING, NODE(base_platform)},
	[DF_R_DEFAULT_ARG] = {"InvalidDefaultArgInFrom",
			      "FROM has a valid image name where no build "
			      "argument is given",
			      STV_SEV_WARNING, FILE_RULE(default_arg)},
	[DF_R_DESCRIPTION] = {"InvalidDefinitionDescription",
			      "a comment above an ARG or a stage begins with "
			      "its name",
			      STV_SEV_WARNING, .is_experimental = true,
			      FILE_RULE(description)},
	[DF_R_JSON_ARGS] = {"JSONArgsRecommended",
			    "CMD and ENTRYPOINT are JSON arrays, so that "
			    "signals reach the program",
			    STV_SEV_WARNING, NODE(json_args)},
	[DF_R_LEGACY_PAIR] = {"LegacyKeyValueFormat",
			      "ENV and LABEL are written with '='",
			      STV_SEV_WARNING, .has_fix = true,
			      NODE(legacy_pair)},
	[DF_R_MAINTAINER] = {"MaintainerDeprecated",
			     "the author is a label, not a MAINTAINER",
			     STV_SEV_WARNING, .has_fix = true,
			     NODE(maintainer)},
	[DF_R_MULTIPLE] = {"MultipleInstructionsDisallowed",
			   "a stage has one CMD, one ENTRYPOINT and one "
			   "HEALTHCHECK",
			   STV_SEV_WARNING, NODE(multiple)},
	[DF_R_EMPTY_CONTINUATION] = {"NoEmptyContinuation",
				     "no empty line stands inside an "
				     "instruction",
				     STV_SEV_WARNING, .has_fix = true},
	[DF_R_REDUNDANT_PLATFORM] = {"RedundantTargetPlatform",
				     "FROM --platform is not the default",
				     STV_SEV_WARNING, NODE(redundant_platform)},
	[DF_R_RESERVED_STAGE] = {"ReservedStageName",
				 "no stage is called context or scratch",
				 STV_SEV_WARNING, FILE_RULE(reserved)},
	[DF_R_SECRETS] = {"SecretsUsedInArgOrEnv",
			  "secrets are not given by ARG or ENV",
			  STV_SEV_WARNING, NODE(secrets)},
	[DF_R_STAGE_CASING] = {"StageNameCasing",
			       "names of stages are in lower case",
			       STV_SEV_WARNING, .has_fix = true,
			       NODE(stage_casing)},
	[DF_R_UNDEFINED_FROM] = {"UndefinedArgInFrom",
				 "variables of FROM are declared before it",
				 STV_SEV_WARNING, NODE(undefined_from)},
	[DF_R_UNDEFINED_VAR] = {"UndefinedVar",
				"variables are set before they are used",
				STV_SEV_WARNING, NODE(undefined_var)},
	[DF_R_WORKDIR] = {"WorkdirRelativePath",
			  "the first WORKDIR is an absolute path",
			  STV_SEV_WARNING, NODE(workdir)},

	[DF_R_ADD_CHECKSUM] = {"AddWithoutChecksum",
			       "ADD of a URL has a checksum", STV_SEV_WARNING,
			       NODE(add_checksum)},
	[DF_R_APT_ASKS] = {"AptInstallAsks",
			   "apt-get install has -y, since nobody can answer",
			   STV_SEV_WARNING, NODE(apt_asks)},
	[DF_R_APT_UPDATE] = {"AptUpdateAlone",
			     "apt-get update is in the RUN that installs",
			     STV_SEV_WARNING, NODE(apt_update)},
	[DF_R_CD_ALONE] = {"CdInOwnRun", "a cd is in the RUN that needs it",
			   STV_SEV_WARNING, NODE(cd_alone)},
	[DF_R_COPY_SECRET] = {"CopySecretFile",
			      "no COPY takes in keys and passwords",
			      STV_SEV_WARNING},
	[DF_R_DIRECTIVE_LATE] = {"DirectiveTooLate",
				 "parser directives stand before all else",
				 STV_SEV_WARNING, FILE_RULE(directive_late)},
	[DF_R_ESCAPES] = {"EscapeAtLineEnd",
			  "a line that is meant to go on ends in one escape "
			  "character",
			  STV_SEV_WARNING, FILE_RULE(escapes)},
	[DF_R_EXEC_FORM] = {"ExecFormNotJson",
			    "what looks like a JSON array is one",
			    STV_SEV_WARNING, NODE(exec_form)},
	[DF_R_HEREDOC_END] = {"HeredocEndMissed",
			      "a heredoc ends where its tag first stands",
			      STV_SEV_WARNING, NODE(heredoc_end)},
	[DF_R_IGNORE_TOP] = {"IgnoreOnlyAtTop",
			     "a pattern of the ignore file holds where the "
			     "name occurs",
			     STV_SEV_NOTE},
	[DF_R_PACKAGE_CACHE] = {"PackageCacheLeft",
				"caches of package managers are not left in "
				"the image",
				STV_SEV_WARNING, NODE(package_cache)},
	[DF_R_QUOTE_END] = {"QuoteEndsEarly",
			    "quotes inside of quotes are escaped",
			    STV_SEV_WARNING, NODE(quote_end)},
	[DF_R_REPEATED_FILES] = {"RepeatedFiles",
				 "no RUN stores files again to change owner "
				 "or mode",
				 STV_SEV_WARNING, NODE(repeated)},
	[DF_R_SUDO] = {"SudoInRun", "root needs no sudo", STV_SEV_WARNING,
		       NODE(sudo)},
	[DF_R_UNKNOWN_RULE] = {"UnknownRule",
			       "rules that '# check=' names exist",
			       STV_SEV_WARNING},
	[DF_R_UNPINNED_BASE] = {"UnpinnedBase",
				"a base image has a tag other than latest, or "
				"a digest",
				STV_SEV_WARNING, NODE(unpinned)},
};

_Static_assert(STV_ARRAY_LEN(df_rules) == DF_N_RULES, "a row for each rule");

bool
df_rule_find(const char *id, enum df_rule_no *ret)
{
	for (size_t i = 0; i < DF_N_RULES; i++)
		if (strcmp(df_rules[i].id, id) == 0) {
			*ret = (enum df_rule_no)i;
			return true;
		}
	return false;
}

char *
df_rule_url(enum df_rule_no rule)
{
	stv_auto_buf b = STV_BUF_INIT(256);
	const char *id = df_rules[rule].id;

	if (rule >= DF_N_BUILDKIT_RULES)
		return stv_buf_take(&b);
	stv_buf_adds(&b, "https://docs.docker.com/go/dockerfile/rule/");
	for (const char *p = id; *p != '\0'; p++) {
		bool is_upper = isupper((unsigned char)*p) != 0;
		/* "JSONArgs" is two words, and so is "FromAs". */
		bool is_new = is_upper && p > id &&
			      (islower((unsigned char)p[-1]) != 0 ||
			       islower((unsigned char)p[1]) != 0);

		if (is_new)
			stv_buf_addc(&b, '-');
		stv_buf_addc(&b, (char)tolower((unsigned char)*p));
	}
	stv_buf_addc(&b, '/');
	return stv_buf_take(&b);
}
