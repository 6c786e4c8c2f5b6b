/* builder/docker_stream.c - what docker's engine says while it works. */
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mem.h"

#include "builder/docker_stream.h"

/*
 * {"errorDetail":{"message":"..."},"error":"..."}, of which older engines have
 * the second only; and where the image store is containerd's, an image that
 * cannot be unpacked is a mere line of text.
 */
static const char *
failure_of(const json_t *v)
{
	static const char unpack[] = "Error unpacking image";
	const json_t *detail = json_object_get(v, "errorDetail");
	const char *text = json_string_value(json_object_get(v, "stream"));

	if (json_is_string(json_object_get(detail, "message")))
		return json_string_value(json_object_get(detail, "message"));
	if (json_is_string(json_object_get(v, "error")))
		return json_string_value(json_object_get(v, "error"));
	if (text != NULL && strncmp(text, unpack, strlen(unpack)) == 0)
		return text;
	return NULL;
}

static void
end_line(struct bld_docker_stream *s)
{
	json_t *v = s->is_dropped ? NULL
				  : json_loadb(stv_buf_str(&s->line),
					       s->line.len, 0, NULL);
	const char *failure = failure_of(v);

	if (failure != NULL && s->failure == NULL)
		s->failure = stv_xstrndup(failure, strcspn(failure, "\n"));
	json_decref(v);
	stv_buf_truncate(&s->line, 0);
	s->is_dropped = false;
}

static int
take(struct stv_sink *sink, const void *buf, size_t n, struct stv_err **err)
{
	struct bld_docker_stream *s = (struct bld_docker_stream *)sink;
	const char *p = buf;

	(void)err;
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t len = end == NULL ? n : (size_t)(end - p);

		s->is_dropped |= len > BLD_MAX_DOCKER_LINE - s->line.len;
		if (!s->is_dropped)
			stv_buf_add(&s->line, p, len);
		if (end == NULL)
			break;
		end_line(s);
		p += len + 1;
		n -= len + 1;
	}
	return 0;
}

void
bld_docker_stream_init(struct bld_docker_stream *s)
{
	*s = (struct bld_docker_stream){
		.sink = {.write = take},
		.line = STV_BUF_INIT(BLD_MAX_DOCKER_LINE),
	};
}

void
bld_docker_stream_end(struct bld_docker_stream *s)
{
	end_line(s);
}

void
bld_docker_stream_fini(struct bld_docker_stream *s)
{
	stv_buf_fini(&s->line);
	free(s->failure);
}
