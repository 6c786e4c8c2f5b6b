/* builder/test/test_copy_flags.c - --link, --checksum: what is done again. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"
#include "core/mem.h"

#include "builder/test/build_rig.h"
#include "registry/test/httpd.h"

static bool
log_has(struct works *w, const char *line)
{
	return strstr(stv_buf_str(&w->log), line) != NULL;
}

static struct stv_digest
top_layer(const struct works *w)
{
	cr_assert_gt(w->result.n_diff_ids, 0);
	return w->result.diff_ids[w->result.n_diff_ids - 1];
}

Test(link, a_changed_base_does_not_disturb_it)
{
	static const char text[] = "FROM scratch\n"
				   "COPY a /a\n"
				   "ENV V=1\n"
				   "COPY --link b /dir/\n"
				   "COPY b /last\n";
	struct works w;
	struct stv_digest before;

	works_open(&w);
	works_file(&w, "a", "one");
	works_file(&w, "b", "two");
	works_ok(&w, text);
	before = w.result.diff_ids[1];
	works_file(&w, "a", "three");
	works_ok(&w, text);
	cr_expect(log_has(&w, "started COPY a /a: a changed (content)"));
	cr_expect(log_has(&w, "cached COPY --link b /dir/"));
	cr_expect(log_has(&w, "started COPY b /last"));
	cr_expect(stv_digest_equal(&w.result.diff_ids[1], &before));
	works_expect(&w, "dir/b", "two");
	works_expect(&w, "a", "three");
	works_close(&w);
}

Test(link, a_changed_config_does_not_disturb_it)
{
	struct works w;

	works_open(&w);
	works_file(&w, "b", "two");
	works_ok(&w, "FROM scratch\nENV V=1\nCOPY --link b /dir/\n");
	works_ok(&w, "FROM scratch\nENV V=2\nUSER 7\nCOPY --link b /dir/\n");
	cr_expect(log_has(&w, "cached COPY --link b /dir/"));
	works_ok(&w, "FROM scratch\nWORKDIR /w\nCOPY --link b /dir/\n");
	cr_expect(log_has(&w, "cached COPY --link b /dir/"));
	works_close(&w);
}

Test(link, the_working_directory_counts_where_it_says_where_to_go)
{
	struct works w;

	works_open(&w);
	works_file(&w, "b", "two");
	works_ok(&w, "FROM scratch\nWORKDIR /v\nCOPY --link b ./\n");
	works_ok(&w, "FROM scratch\nWORKDIR /w\nCOPY --link b ./\n");
	cr_expect(log_has(&w, "started COPY --link b ./"));
	works_expect(&w, "w/b", "two");
	works_close(&w);
}

Test(link, its_content_and_flags_count)
{
	struct works w;

	works_open(&w);
	works_file(&w, "b", "two");
	works_ok(&w, "FROM scratch\nCOPY --link b /dir/\n");
	works_file(&w, "b", "three");
	works_ok(&w, "FROM scratch\nCOPY --link b /dir/\n");
	cr_expect(log_has(&w,
			  "started COPY --link b /dir/: b changed (content)"));
	works_ok(&w, "FROM scratch\nCOPY --link --chown=3 b /dir/\n");
	cr_expect(log_has(&w, ": --chown is new: 3"));
	works_ok(&w, "FROM scratch\nCOPY --link b /other/\n");
	cr_expect(log_has(&w, "COPY --link b /other/: instruction changed"));
	works_close(&w);
}

/* Upon nothing both give the same layer, but only one of them may move. */
Test(link, it_is_no_record_of_a_plain_copy)
{
	struct works w;

	works_open(&w);
	works_file(&w, "b", "two");
	works_ok(&w, "FROM scratch\nCOPY b /dir/\n");
	works_ok(&w, "FROM scratch\nCOPY --link b /dir/\n");
	cr_expect(log_has(&w,
			  "started COPY --link b /dir/: --link is new: true"));
	works_ok(&w, "FROM scratch\nCOPY --link=false b /dir/\n");
	cr_expect(log_has(&w, "cached COPY --link=false b /dir/"));
	works_close(&w);
}

Test(link, with_chmod_it_is_a_plain_copy)
{
	static const char text[] = "FROM scratch\n"
				   "COPY a /a\n"
				   "COPY --link --chmod=600 b /dir/\n";
	struct works w;

	works_open(&w);
	works_file(&w, "a", "one");
	works_file(&w, "b", "two");
	works_ok(&w, text);
	works_file(&w, "a", "three");
	works_ok(&w, text);
	cr_expect(log_has(&w, "started COPY --link --chmod=600 b /dir/"));
	works_close(&w);
}

Test(link, what_a_stage_gives_counts_and_not_the_stage)
{
	static const char text[] = "FROM scratch AS s\n"
				   "COPY a /other\n"
				   "COPY b /b\n"
				   "FROM scratch\n"
				   "COPY a /a\n"
				   "COPY --link --from=s /b /dir/\n";
	struct works w;

	works_open(&w);
	works_file(&w, "a", "one");
	works_file(&w, "b", "two");
	works_ok(&w, text);
	works_file(&w, "a", "three");
	works_ok(&w, text);
	cr_expect(log_has(&w, "cached COPY --link --from=s /b /dir/"));
	works_expect(&w, "dir/b", "two");
	works_close(&w);
}

Test(link, a_linked_layer_is_the_same_everywhere)
{
	struct stv_digest first, second;
	struct works w;

	works_open(&w);
	works_file(&w, "b", "two");
	w.o.has_epoch = true;
	w.o.epoch = 1000000000;
	works_ok(&w, "FROM scratch\nCOPY --link b /dir/\n");
	first = top_layer(&w);
	works_ok(&w, "FROM scratch\nCOPY b /dir/other\n"
		     "COPY --link b /dir/\n");
	cr_expect_eq(w.result.n_executed, 1);
	second = top_layer(&w);
	cr_expect(stv_digest_equal(&second, &first));
	works_close(&w);
}

Test(flags, a_miss_tells_which_one_changed)
{
	struct works w;

	works_open(&w);
	works_file(&w, "d", "two");
	works_ok(&w, "FROM scratch\nCOPY . /dir/\n");
	works_ok(&w, "FROM scratch\nCOPY --exclude=e . /dir/\n");
	cr_expect(log_has(&w, ": --exclude is new: e"));
	works_ok(&w, "FROM scratch\nCOPY --exclude=f . /dir/\n");
	cr_expect(log_has(&w, ": --exclude is new: f"));
	works_ok(&w, "FROM scratch\nCOPY --parents --exclude=f . /dir/\n");
	cr_expect(log_has(&w, ": --parents is new: true"));
	works_ok(&w, "FROM scratch\nADD d /dir/\n");
	works_ok(&w, "FROM scratch\nADD --unpack=false d /dir/\n");
	cr_expect(log_has(&w, ": --unpack is new: false"));
	works_ok(&w, "FROM scratch\nADD --unpack d /dir/\n");
	cr_expect(log_has(&w, ": --unpack is new: true"));
	works_close(&w);
}

Test(flags, an_expansion_bomb_in_a_source_is_refused)
{
	stv_auto_buf text = STV_BUF_INIT(65536);
	struct works w;

	works_open(&w);
	works_file(&w, "d", "two");
	stv_buf_adds(&text, "FROM scratch\nARG a0=xxxxxxxxxxxxxxxx\n");
	for (int i = 1; i <= 20; i++)
		stv_buf_addf(&text, "ARG a%d=$a%d$a%d$a%d$a%d\n", i, i - 1,
			     i - 1, i - 1, i - 1);
	stv_buf_adds(&text, "COPY --parents ${a20} /d/\n");
	works_fails(&w, stv_buf_str(&text), STV_E_LIMIT, "");
	works_close(&w);
}

/* ---- --checksum ------------------------------------------------------------
 */

#define HELLO                                                                  \
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"                             \
	"Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n\r\nhello"

/* "FROM scratch", and an ADD of the server's /f with the digest of ${what}. */
static void
add_text(const struct httpd *s, const char *what, const char *more,
	 struct stv_buf *ret)
{
	struct stv_digest d = stv_digest_of(what, strlen(what));
	char str[STV_DIGEST_STR_MAX];

	(void)setenv("no_proxy", "*", 1);
	stv_buf_truncate(ret, 0);
	stv_buf_addf(ret,
		     "FROM scratch\n"
		     "ADD --checksum=%s%s http://127.0.0.1:%d/f /d/\n",
		     stv_digest_str(&d, str), more, s->port);
}

Test(checksum, what_is_cached_is_not_downloaded)
{
	stv_auto_buf text = STV_BUF_INIT(4096);
	struct httpd s;
	struct works w;

	works_open(&w);
	httpd_open(&s);
	httpd_answer(&s, HELLO);
	httpd_start(&s);
	add_text(&s, "hello", "", &text);
	works_ok(&w, stv_buf_str(&text));
	works_expect(&w, "d/f", "hello");
	httpd_end(&s);
	cr_expect_eq(s.n_requests, 1);
	/* Nobody answers any more. */
	works_ok(&w, stv_buf_str(&text));
	cr_expect_eq(w.result.n_executed, 0);
	works_expect(&w, "d/f", "hello");
	works_close(&w);
}

Test(checksum, wrong_content_is_an_error_with_both_digests)
{
	stv_auto_buf text = STV_BUF_INIT(4096);
	char want[STV_DIGEST_STR_MAX], got[STV_DIGEST_STR_MAX];
	struct stv_digest d;
	struct httpd s;
	struct works w;

	works_open(&w);
	httpd_open(&s);
	httpd_answer(&s, HELLO);
	httpd_answer(&s, HELLO);
	httpd_start(&s);
	add_text(&s, "other", "", &text);
	d = stv_digest_of("other", 5);
	(void)stv_digest_str(&d, want);
	d = stv_digest_of("hello", 5);
	(void)stv_digest_str(&d, got);
	works_fails(&w, stv_buf_str(&text), STV_E_DIGEST, want);
	cr_expect_not_null(strstr(stv_err_msg(stv_err_root(w.err)), got));
	/* It was not kept: the same again asks again. */
	works_fails(&w, stv_buf_str(&text), STV_E_DIGEST, want);
	httpd_end(&s);
	cr_expect_eq(s.n_requests, 2);
	works_close(&w);
}

Test(checksum, a_new_one_is_named_as_the_reason)
{
	stv_auto_buf text = STV_BUF_INIT(4096);
	struct httpd s;
	struct works w;

	works_open(&w);
	httpd_open(&s);
	httpd_answer(&s, HELLO);
	httpd_answer(&s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld");
	httpd_start(&s);
	add_text(&s, "hello", " --link", &text);
	works_ok(&w, stv_buf_str(&text));
	add_text(&s, "world", " --link", &text);
	works_ok(&w, stv_buf_str(&text));
	cr_expect(log_has(&w, ": --checksum: 2cf24dba5fb0 -> 486ea46224d1"));
	works_expect(&w, "d/f", "world");
	/* The old one is still there. */
	add_text(&s, "hello", " --link", &text);
	works_ok(&w, stv_buf_str(&text));
	cr_expect_eq(w.result.n_executed, 0);
	httpd_end(&s);
	works_close(&w);
}
