/* cache/archive_save.c - images as one tar, or as an OCI layout directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/err.h"
#include "core/fsat.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/oci.h"
#include "core/stream.h"
#include "core/vec.h"

#include "cache/blob.h"
#include "cache/layer.h"
#include "cache/meta.h"
#include "cache/platforms.h"
#include "cache/store.h"
#include "cache/tar_write.h"

#include "cache/archive_save.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
/* index.json and manifest.json: as any index from outside. */
#define MAX_DOC STV_MAX_MANIFEST

/* What becomes one file of the archive: a blob, or a layer's plain tar. */
struct part {
	struct stv_digest digest; /* of the blob; of a plain tar: its diff ID */
	char *path;
	bool is_plain_tar;
	bool is_left_out;
};

/* An archive being put together. */
struct save {
	struct cas_store *store;
	enum cas_archive_format format;
	struct stv_sink *out; /* or NULL: into ${dirfd} */
	int dirfd;
	const char *blobs; /* into ${dirfd}: a link to the store's own blobs */
	STV_VEC(struct part) parts;
	struct oci_index *index;
	json_t *docker; /* manifest.json */
};

/* A file called ${folder}<hex of ${d}>${suffix}. */
static struct part *
add_part(struct save *v, const struct stv_digest *d, const char *folder,
	 const char *suffix)
{
	struct part *p = stv_vec_push(&v->parts);
	char hex[STV_DIGEST_STR_MAX];

	p->digest = *d;
	p->path =
		stv_xasprintf("%s%s%s", folder, stv_digest_hex(d, hex), suffix);
	return p;
}

static struct part *
add_blob(struct save *v, const struct stv_digest *d)
{
	return add_part(v, d, "blobs/sha256/", "");
}

/* ---- what belongs to an image ----------------------------------------- */

static int
read_doc(struct save *v, const struct stv_digest *d, struct stv_buf *ret,
	 struct stv_err **err)
{
	return cas_blob_read(v->store, d, ret->max, ret, err);
}

static int
read_manifest(struct save *v, const struct stv_digest *d,
	      struct oci_manifest **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);

	if (read_doc(v, d, &text, err) < 0)
		return -1;
	return oci_manifest_parse(stv_buf_str(&text), text.len, NULL, ret, err);
}

/*
 * Whole names: docker normalises what it finds, podman would take "x:1" for
 * "localhost/x:1".
 */
static json_t *
docker_tags(const struct cas_save_image *image)
{
	json_t *tags = json_array();

	for (size_t i = 0; i < image->names.len; i++)
		(void)json_array_append_new(tags,
					    stv_json_str(image->names.v[i]));
	return tags;
}

/* A layer of the archive, and its line in docker's manifest.json. */
static void
add_layer(struct save *v, const struct oci_descriptor *layer,
	  const struct stv_digest *diff_id, bool is_left_out, json_t *lines)
{
	bool is_docker = v->format == CAS_ARCHIVE_DOCKER;
	struct part *p = is_docker ? add_part(v, diff_id, "", ".tar")
				   : add_blob(v, &layer->digest);

	p->is_plain_tar = is_docker;
	p->is_left_out = is_left_out;
	(void)json_array_append_new(lines, stv_json_str(p->path));
}

static int
read_config(struct save *v, const struct oci_manifest *m,
	    struct oci_config **ret, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_CONFIG);

	if (read_doc(v, &m->config.digest, &text, err) < 0 ||
	    oci_config_parse(stv_buf_str(&text), text.len, ret, err) < 0)
		return -1;
	if ((*ret)->n_diff_ids != m->n_layers)
		return stv_fail(err, STV_E_PROTOCOL,
				"the image has %zu layers and %zu diff IDs",
				m->n_layers, (*ret)->n_diff_ids);
	return 0;
}

/*
 * All files of one manifest.  ${image} is non-NULL where docker's
 * manifest.json gets an entry for it.
 */
static int
add_manifest(struct save *v, const struct stv_digest *d,
	     const struct cas_save_image *image, struct stv_err **err)
{
	stv_auto(oci_manifest) *m = NULL;
	stv_auto(oci_config) *config = NULL;
	json_t *entry, *lines;

	if (read_manifest(v, d, &m, err) < 0)
		return -1;
	if (v->format != CAS_ARCHIVE_DOCKER)
		add_blob(v, d);
	if (v->format == CAS_ARCHIVE_DOCKER)
		add_part(v, &m->config.digest, "", ".json");
	else
		add_blob(v, &m->config.digest);
	if (image == NULL) {
		for (size_t i = 0; i < m->n_layers; i++)
			add_blob(v, &m->layers[i].digest);
		return 0;
	}
	entry = json_object();
	lines = json_array();
	(void)json_object_set_new(
		entry, "Config",
		stv_json_str(v->parts.v[v->parts.len - 1].path));
	(void)json_object_set_new(entry, "RepoTags", docker_tags(image));
	(void)json_object_set_new(entry, "Layers", lines);
	(void)json_array_append_new(v->docker, entry);
	if (read_config(v, m, &config, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_layers; i++)
		add_layer(v, &m->layers[i], &config->diff_ids[i],
			  image->left_out != NULL && image->left_out[i], lines);
	return 0;
}

/*
 * An index and what of it is here: a pull fetches the manifests of one
 * platform.  That whose config is the image's stands in manifest.json.
 */
static int
add_index(struct save *v, const struct cas_save_image *image,
	  const struct stv_digest *config, struct stv_err **err)
{
	cas_auto_parts parts = {NULL};

	if (cas_parts_read(v->store, &image->manifest, &parts, err) < 0)
		return -1;
	if (v->format != CAS_ARCHIVE_DOCKER)
		add_blob(v, &image->manifest);
	for (size_t i = 0; i < parts.len; i++) {
		const struct cas_part *p = &parts.v[i];
		bool is_ours = stv_digest_equal(&p->config, config);

		if (p->is_index && v->format != CAS_ARCHIVE_DOCKER)
			add_blob(v, &p->manifest.digest);
		if (!p->is_here || p->is_index ||
		    (v->format == CAS_ARCHIVE_DOCKER && !is_ours))
			continue;
		if (add_manifest(v, &p->manifest.digest, is_ours ? image : NULL,
				 err) < 0)
			return -1;
	}
	return 0;
}

/* An index that was made for this archive, of images that all are here. */
static int
add_loose(struct save *v, const struct stv_digest *d, const struct oci_index *x,
	  struct stv_err **err)
{
	add_blob(v, d);
	for (size_t i = 0; i < x->n_manifests; i++)
		if (add_manifest(v, &x->manifests[i].digest, NULL, err) < 0)
			return -1;
	return 0;
}

/* The names that an index.json gives: containerd's whole one, and the tag. */
static void
add_descriptor(struct save *v, const struct cas_save_image *image,
	       const char *media_type, uint64_t size, const char *name)
{
	struct oci_descriptor *d = oci_index_add(v->index);
	const char *tag;

	d->media_type = stv_xstrdup(media_type);
	d->digest = image->manifest;
	d->size = size;
	for (size_t i = 0; i < image->annotations.len; i++)
		stv_pairs_set(&d->annotations, image->annotations.v[i].name,
			      image->annotations.v[i].value);
	if (name == NULL)
		return;
	stv_pairs_set(&d->annotations, "io.containerd.image.name", name);
	tag = strrchr(name, ':');
	if (tag != NULL && strchr(tag, '/') == NULL)
		stv_pairs_set(&d->annotations,
			      "org.opencontainers.image.ref.name", tag + 1);
}

static int
find_config(struct save *v, const struct stv_digest *manifest,
	    struct stv_digest *ret, struct stv_err **err)
{
	char hex[STV_DIGEST_STR_MAX];
	struct cas_image img;
	int r = cas_image_find(v->store, stv_digest_hex(manifest, hex), &img,
			       err);

	if (r == 1)
		*ret = img.config;
	return r;
}

/* An image's media type as its document says it. */
static const char *
type_of(const struct oci_manifest *m, const struct oci_index *x)
{
	const char *type = NULL;

	if (m != NULL)
		type = m->media_type;
	else if (x != NULL)
		type = x->media_type;
	if (type != NULL)
		return type;
	return m != NULL ? OCI_MT_MANIFEST : OCI_MT_INDEX;
}

static int
add_image(struct save *v, const struct cas_save_image *image,
	  struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(STV_MAX_MANIFEST);
	stv_auto(oci_manifest) *m = NULL;
	stv_auto(oci_index) *x = NULL;
	struct stv_digest config;
	int r;

	if (read_doc(v, &image->manifest, &text, err) < 0)
		return -1;
	if (oci_is_index(stv_buf_str(&text), text.len) == 1) {
		r = oci_index_parse(stv_buf_str(&text), text.len, NULL, &x,
				    err);
		if (r == 0)
			r = find_config(v, &image->manifest, &config, err);
		if (r == 0)
			r = add_loose(v, &image->manifest, x, err);
		else if (r == 1)
			r = add_index(v, image, &config, err);
	} else {
		r = oci_manifest_parse(stv_buf_str(&text), text.len, NULL, &m,
				       err);
		if (r == 0)
			r = add_manifest(v, &image->manifest, image, err);
	}
	if (r < 0)
		return -1;
	for (size_t i = 0; i < image->names.len; i++)
		add_descriptor(v, image, type_of(m, x), text.len,
			       image->names.v[i]);
	if (image->names.len == 0)
		add_descriptor(v, image, type_of(m, x), text.len, NULL);
	return 0;
}

/* ---- files ------------------------------------------------------------ */

static int
put(struct save *v, const void *p, size_t n, struct stv_err **err)
{
	return n == 0 ? 0 : v->out->write(v->out, p, n, err);
}

static int
put_header(struct save *v, const char *path, enum lay_type type, uint64_t size,
	   struct stv_err **err)
{
	stv_auto_buf header = STV_BUF_INIT(STV_MAX_PAX_BLOCK);
	struct lay_entry e = {
		.path = path,
		.type = type,
		.mode = type == LAY_DIR ? 0755 : 0644,
		.size = size,
	};

	if (lay_tar_header(&e, &header, err) < 0 ||
	    stv_buf_check(&header, "tar header", err) < 0)
		return -1;
	return put(v, stv_buf_str(&header), header.len, err);
}

static int
put_padding(struct save *v, uint64_t size, struct stv_err **err)
{
	static const char zeros[TAR_BLOCK];

	return put(v, zeros, (size_t)lay_tar_padding(size), err);
}

/* A file whose bytes are in memory. */
static int
put_text(struct save *v, const char *path, const char *text, size_t n,
	 struct stv_err **err)
{
	if (v->out == NULL)
		return stv_fsat_replace(v->dirfd, path, text, n, 0644, false,
					err);
	if (put_header(v, path, LAY_FILE, n, err) < 0 ||
	    put(v, text, n, err) < 0)
		return -1;
	return put_padding(v, n, err);
}

/* ${size} bytes of ${in}, checked against the digest that names them. */
static int
put_checked(struct stv_in *in, struct stv_sink *out, const struct part *p,
	    uint64_t size, struct stv_err **err)
{
	stv_auto(stv_in) *hashed = stv_in_hash(in);
	char str[STV_DIGEST_STR_MAX];
	struct stv_digest got;
	uint64_t n = 0;

	if (stv_copy(hashed, out, &n, err) < 0)
		return -1;
	got = stv_in_hash_end(hashed, &n);
	if (n == size && stv_digest_equal(&got, &p->digest))
		return 0;
	return stv_fail(err, STV_E_DIGEST, "%s %s in the store is damaged",
			p->is_plain_tar ? "layer" : "blob",
			stv_digest_str(&p->digest, str));
}

static int
put_part_dir(struct save *v, const struct part *p, struct stv_in *in,
	     uint64_t size, struct stv_err **err)
{
	stv_auto_fd fd = openat(
		v->dirfd, p->path,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	stv_auto(stv_sink) *out = NULL;

	if (fd < 0)
		return stv_fail_errno(err, errno, "cannot make '%s'", p->path);
	out = stv_sink_fd(fd);
	if (put_checked(in, out, p, size, err) < 0)
		return -1;
	if (close(stv_steal_fd(&fd)) < 0)
		return stv_fail_errno(err, errno, "cannot write '%s'", p->path);
	return 0;
}

static int
open_part(struct save *v, const struct part *p, int *fd, struct stv_in **ret,
	  uint64_t *ret_size, struct stv_err **err)
{
	if (p->is_plain_tar)
		return lay_open_tar(v->store, &p->digest, ret, ret_size, err);
	if (cas_blob_open(v->store, &p->digest, fd, ret_size, err) < 0)
		return -1;
	*ret = stv_in_fd(*fd);
	return 0;
}

static int
put_part(struct save *v, const struct part *p, struct stv_err **err)
{
	stv_auto_fd fd = -1;
	stv_auto(stv_in) *in = NULL;
	uint64_t size = 0;

	if (open_part(v, p, &fd, &in, &size, err) < 0)
		return -1;
	if (v->out == NULL)
		return put_part_dir(v, p, in, size, err);
	if (put_header(v, p->path, LAY_FILE, size, err) < 0 ||
	    put_checked(in, v->out, p, size, err) < 0)
		return -1;
	return put_padding(v, size, err);
}

static int
cmp_part(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int d = strcmp(x->path, y->path);

	return d != 0 ? d : (int)x->is_left_out - (int)y->is_left_out;
}

/*
 * Every part once, in the order of the names.  A layer may be left out in one
 * place of an image and be needed in another one, which then comes first.
 */
static int
put_parts(struct save *v, struct stv_err **err)
{
	if (v->parts.len > 0)
		qsort(v->parts.v, v->parts.len, sizeof(v->parts.v[0]),
		      cmp_part);
	for (size_t i = 0; i < v->parts.len; i++) {
		if (i > 0 &&
		    strcmp(v->parts.v[i].path, v->parts.v[i - 1].path) == 0)
			continue;
		if (!v->parts.v[i].is_left_out &&
		    put_part(v, &v->parts.v[i], err) < 0)
			return -1;
	}
	return 0;
}

static int
put_folder(struct save *v, const char *path, struct stv_err **err)
{
	if (v->out != NULL)
		return put_header(v, path, LAY_DIR, 0, err);
	return stv_fsat_mkdirs(v->dirfd, path, 0755, err);
}

/* The blobs and what else the index and docker's list name. */
static int
put_files(struct save *v, struct stv_err **err)
{
	if (v->blobs != NULL && symlinkat(v->blobs, v->dirfd, "blobs") < 0)
		return stv_fail_errno(err, errno, "cannot make a link to '%s'",
				      v->blobs);
	if (v->blobs != NULL)
		return 0;
	if (v->format != CAS_ARCHIVE_DOCKER &&
	    (put_folder(v, "blobs", err) < 0 ||
	     put_folder(v, "blobs/sha256", err) < 0))
		return -1;
	return put_parts(v, err);
}

static int
put_index(struct save *v, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(MAX_DOC);

	oci_index_write(v->index, &text);
	if (stv_buf_check(&text, "index.json", err) < 0)
		return -1;
	return put_text(v, "index.json", stv_buf_str(&text), text.len, err);
}

static int
put_docker(struct save *v, struct stv_err **err)
{
	stv_auto_buf text = STV_BUF_INIT(MAX_DOC);

	stv_json_dump(v->docker, &text);
	if (stv_buf_check(&text, "manifest.json", err) < 0)
		return -1;
	return put_text(v, "manifest.json", stv_buf_str(&text), text.len, err);
}

static int
put_all(struct save *v, struct stv_err **err)
{
	static const char end[2 * TAR_BLOCK];
	bool is_oci = v->format != CAS_ARCHIVE_DOCKER;

	if (put_files(v, err) < 0)
		return -1;
	if (is_oci && put_index(v, err) < 0)
		return -1;
	if (v->format != CAS_ARCHIVE_OCI && put_docker(v, err) < 0)
		return -1;
	if (is_oci && put_text(v, "oci-layout", LAYOUT_TEXT,
			       strlen(LAYOUT_TEXT), err) < 0)
		return -1;
	return v->out == NULL ? 0 : put(v, end, sizeof(end), err);
}

static int
save(struct save *v, const struct cas_save_image *images, size_t n,
     struct stv_err **err)
{
	int r = 0;

	v->index = stv_xcalloc(1, sizeof(*v->index));
	v->index->media_type = stv_xstrdup(OCI_MT_INDEX);
	v->docker = json_array();
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_image(v, &images[i], err);
	if (r == 0)
		r = put_all(v, err);
	for (size_t i = 0; i < v->parts.len; i++)
		free(v->parts.v[i].path);
	stv_vec_fini(&v->parts);
	oci_index_free(v->index);
	json_decref(v->docker);
	return r;
}

int
cas_save(struct cas_store *s, const struct cas_save_image *images, size_t n,
	 enum cas_archive_format format, struct stv_sink *out,
	 struct stv_err **err)
{
	struct save v = {
		.store = s,
		.format = format,
		.out = out,
		.dirfd = -1,
	};

	return save(&v, images, n, err);
}

int
cas_save_dir(struct cas_store *s, const struct cas_save_image *images, size_t n,
	     int dirfd, struct stv_err **err)
{
	struct save v = {
		.store = s,
		.format = CAS_ARCHIVE_OCI,
		.dirfd = dirfd,
	};

	return save(&v, images, n, err);
}

/* The way from a directory of the store, as its root names it, to the blobs. */
static void
way_to_blobs(const char *name, struct stv_buf *ret)
{
	for (; name != NULL; name = strchr(name + 1, '/'))
		stv_buf_adds(ret, "../");
	stv_buf_adds(ret, "blobs");
}

int
cas_save_view(struct cas_store *s, const struct cas_save_image *images,
	      size_t n, char **ret_name, int *ret_fd, struct stv_err **err)
{
	stv_auto_buf blobs = STV_BUF_INIT(STV_MAX_PATH);
	stv_auto_free char *name = NULL;
	stv_auto_fd fd = -1;
	struct save v = {.store = s, .format = CAS_ARCHIVE_OCI};
	struct stv_err *ignored = NULL;

	if (cas_store_tmpdir(s, &name, &fd, err) < 0)
		return -1;
	way_to_blobs(name, &blobs);
	v.dirfd = fd;
	v.blobs = stv_buf_str(&blobs);
	if (save(&v, images, n, err) < 0) {
		(void)stv_fsat_remove_tree(cas_store_rootfd(s), name, &ignored);
		stv_err_free(ignored);
		return -1;
	}
	*ret_name = stv_steal(&name);
	*ret_fd = stv_steal_fd(&fd);
	return 0;
}
