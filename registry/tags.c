/*
 * registry/tags.c - the tags of a repository (distribution specification 1.1,
 * "Content Discovery").
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/stream.h"

#include "registry/client_internal.h"

/* More pages than these are a registry that leads us in a circle. */
#define MAX_PAGES 1000
#define MAX_TAGS ((size_t)100000)

/* Where the next page is: `</v2/x/tags/list?last=b&n=1>; rel="next"`. */
static char *
next_page(const struct reg_http_response *res)
{
	const char *link = reg_http_header(res, "link");
	const char *end;

	if (link == NULL || *link != '<')
		return NULL;
	end = strchr(link, '>');
	if (end == NULL || strstr(end, "next") == NULL)
		return NULL;
	return stv_xstrndup(link + 1, (size_t)(end - link - 1));
}

static int
take_page(const struct stv_buf *text, const char *host, struct stv_strs *ret,
	  struct stv_err **err)
{
	json_t *root = stv_json_parse(stv_buf_str(text), text->len,
				      "the list of tags", err);
	int rc = -1;

	if (root != NULL)
		rc = stv_json_get_strs(root, "", "tags", ret, NULL, err);
	json_decref(root);
	if (rc == 0 && ret->len > MAX_TAGS)
		rc = stv_fail(err, STV_E_LIMIT,
			      "the repository has more than %zu tags",
			      MAX_TAGS);
	return rc < 0 ? stv_wrap(err, "%s", host) : 0;
}

static int
rewind_text(void *arg, struct stv_err **err)
{
	(void)err;
	stv_buf_truncate(arg, 0);
	return 0;
}

/* One page; *target becomes the next one's, or NULL. */
static int
ask_page(struct reg_host *host, const struct reg_endpoint *p, char **target,
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

	if (reg_host_do(host, &call, &res, err) < 0 ||
	    take_page(&text, p->host, ret, err) < 0)
		return -1;
	free(*target);
	*target = next_page(&res);
	return 0;
}

/* All pages from one place; what a page gave before an error stays in *ret. */
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
					"%s: the tags of %s come on more than "
					"%d pages",
					p->host, p->path, MAX_PAGES);
		if (ask_page(host, p, &target, ret, err) < 0)
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
		STV_CLEANUP(stv_strs_clear) struct stv_strs all = {0};

		rc = tags_from(c, &places.v[i], &all, err);
		if (rc == 0)
			stv_strs_copy(ret, &all);
		if (rc == 0 || !reg_may_go_on(&places, i, err))
			break;
	}
	return rc;
}
