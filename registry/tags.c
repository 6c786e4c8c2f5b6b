/* registry/tags.c - the tags of a repository, page by page. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"
#include "core/strs.h"

#include "registry/client_internal.h"

#define MAX_PAGES 1000
#define MAX_TAG 128
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* distribution-spec: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */
static bool
is_tag(const char *s)
{
	size_t n = strspn(s, LETTERS DIGITS "_.-");

	return n > 0 && n <= MAX_TAG && s[n] == '\0' && *s != '.' && *s != '-';
}

/* Where the link of one header begins and ends, if it is that of ${rel}. */
static const char *
find_link(const char *value, const char *rel, size_t *ret_n)
{
	while (*value != '\0') {
		const char *open = strchr(value, '<'), *close, *params;
		size_t n;

		if (open == NULL)
			return NULL;
		close = strchr(open, '>');
		if (close == NULL)
			return NULL;
		params = close + 1;
		n = strcspn(params, ",");
		for (const char *p = params; p < params + n; p++) {
			size_t skip = strncasecmp(p, "rel=\"", 5) == 0 ? 5 : 4;

			if (strncasecmp(p, "rel=", 4) != 0 ||
			    strncasecmp(p + skip, rel, strlen(rel)) != 0)
				continue;
			*ret_n = (size_t)(close - open) - 1;
			return open + 1;
		}
		value = params + n + (params[n] == ',');
	}
	return NULL;
}

char *
reg_next_page(const char *value)
{
	size_t n = 0;
	const char *at = value == NULL ? NULL : find_link(value, "next", &n);
	stv_auto_free char *link = at == NULL ? NULL : stv_xstrndup(at, n);
	const char *path = link;

	if (link == NULL)
		return NULL;
	/* Another host is never gone to: what stands behind it counts. */
	if (reg_http_is_url(link)) {
		path = strstr(link, "://") + 3;
		path += strcspn(path, "/");
	}
	for (const char *p = path; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return NULL;
	return strncmp(path, "/v2/", 4) == 0 ? stv_xstrdup(path) : NULL;
}

static int
rewind_text(void *arg, struct stv_err **err)
{
	(void)err;
	stv_buf_truncate(arg, 0);
	return 0;
}

static int
add_tags(const struct reg_endpoint *p, const struct stv_buf *text,
	 struct stv_strs *ret, struct stv_err **err)
{
	struct stv_strs page = {0};
	json_t *doc = stv_json_parse(stv_buf_str(text), text->len,
				     "the list of tags", err);
	json_t *tags = doc == NULL ? NULL : json_object_get(doc, "tags");
	int rc = doc == NULL ? -1 : 0;

	/* a repository without tags has null there, or nothing */
	if (rc == 0 && tags != NULL && !json_is_null(tags))
		rc = stv_json_get_strs(doc, "", "tags", &page, NULL, err);
	for (size_t i = 0; i < page.len && rc == 0; i++) {
		if (!is_tag(page.v[i]))
			rc = stv_fail(err, STV_E_PROTOCOL,
				      "%s: the list of tags of %s has what is "
				      "no tag",
				      p->host, p->path);
		else if (ret->len >= REG_MAX_TAGS)
			rc = stv_fail(err, STV_E_LIMIT,
				      "%s: %s has more than %d tags", p->host,
				      p->path, REG_MAX_TAGS);
		else
			stv_strs_add(ret, page.v[i]);
	}
	stv_strs_clear(&page);
	json_decref(doc);
	return rc;
}

/* One page; *target becomes that of the next one, or NULL. */
static int
get_page(struct reg_host *host, const struct reg_endpoint *p, char **target,
	 struct stv_strs *ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(stv_sink) *sink = stv_sink_buf(&text, "the list of tags");
	stv_auto_free char *what = stv_xasprintf("the tags of %s", p->path);
	reg_auto_response res = {0};
	struct reg_call call = {.path = p->path,
				.actions = "pull",
				.target = *target,
				.what = what,
				.req = {.sink = sink,
					.rewind_sink = rewind_text,
					.arg = &text,
					.max_size = STV_MAX_MANIFEST}};
	char *next;

	if (reg_host_do(host, &call, &res, err) < 0 ||
	    add_tags(p, &text, ret, err) < 0)
		return -1;
	next = reg_next_page(reg_http_header(&res, "link"));
	if (next != NULL && strcmp(next, *target) == 0) {
		free(next);
		return stv_fail(err, STV_E_PROTOCOL,
				"%s: a page of the tags of %s leads to itself",
				p->host, p->path);
	}
	free(*target);
	*target = next;
	return 0;
}

static int
tags_from(struct reg_client *c, const struct reg_endpoint *p,
	  struct stv_strs *ret, struct stv_err **err)
{
	struct reg_host *host = reg_client_host(c, p, err);
	stv_auto_free char *target =
		stv_xasprintf("/v2/%s/tags/list?n=1000", p->path);

	if (host == NULL)
		return -1;
	for (int i = 0; target != NULL; i++) {
		if (i >= MAX_PAGES)
			return stv_fail(err, STV_E_LIMIT,
					"%s: the tags of %s have more than %d "
					"pages",
					p->host, p->path, MAX_PAGES);
		if (get_page(host, p, &target, ret, err) < 0)
			return -1;
	}
	return 0;
}

int
reg_client_tags(struct reg_client *c, const struct reg_ref *ref,
		struct stv_strs *ret, struct stv_err **err)
{
	reg_auto_endpoints places = {0};
	int rc = -1;

	if (reg_client_places(c, ref, false, &places, err) < 0)
		return -1;
	for (size_t i = 0; i < places.len; i++) {
		struct stv_strs tags = {0};

		rc = tags_from(c, &places.v[i], &tags, err);
		if (rc == 0)
			stv_strs_copy(ret, &tags);
		stv_strs_clear(&tags);
		if (rc == 0 || !reg_may_go_on(&places, i, err))
			break;
	}
	return rc;
}
