/*
 * builder/docker_stream.h - what docker's engine says while it works: JSON
 * objects, one a line, in an answer whose status was 200 long before.
 */
#ifndef STAVE_BUILDER_DOCKER_STREAM_H
#define STAVE_BUILDER_DOCKER_STREAM_H

#include "core/buf.h"
#include "core/stream.h"

/* A line of it; longer ones (of progress) are dropped. */
#define BLD_MAX_DOCKER_LINE ((size_t)64 << 10)

/* A sink for that answer. */
struct bld_docker_stream {
	struct stv_sink sink;
	struct stv_buf line; /* of which the end has not come */
	bool is_dropped;     /* it is too long */
	char *failure;	     /* the first that was told, or NULL */
};

/*
 * bld_docker_stream_init(s): nothing was said.
 * Owns: the caller, bld_docker_stream_fini().
 */
void bld_docker_stream_init(struct bld_docker_stream *s);

/* bld_docker_stream_end(s): the last line may have no end of line. */
void bld_docker_stream_end(struct bld_docker_stream *s);

/* bld_docker_stream_fini(s): free the members. */
void bld_docker_stream_fini(struct bld_docker_stream *s);

#endif /* STAVE_BUILDER_DOCKER_STREAM_H */
