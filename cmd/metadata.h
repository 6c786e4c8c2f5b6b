/* cmd/metadata.h - a build's results for programs: --iidfile, --metadata-file.
 */
#ifndef STAVE_CMD_METADATA_H
#define STAVE_CMD_METADATA_H

#include <jansson.h>
#include <stddef.h>

struct cmd_made; /* cmd/export.h */
struct stv_buf;	 /* core/buf.h */

/*
 * cmd_metadata_ids(made, ret): the image ID, appended; of several targets one
 * a line, in the order of the targets, without a line's end after the last.
 */
void cmd_metadata_ids(const struct cmd_made *made, struct stv_buf *ret);

/*
 * cmd_metadata_json(made, warnings, ret): the members that buildx writes, for
 * the tools that read them; of several targets an object by stage as 'buildx
 * bake' has it, where the last stage without a name is "default".
 * Takes: ${warnings}: "buildx.build.warnings"; NULL: none were asked for.
 */
void cmd_metadata_json(const struct cmd_made *made, json_t *warnings,
		       struct stv_buf *ret);

#endif /* STAVE_CMD_METADATA_H */
