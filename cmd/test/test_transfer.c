/* cmd/test/test_transfer.c - how a layer that moves is shown. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#include "cmd/transfer.h"

static void
expect(uint64_t now, uint64_t total, unsigned width, const char *want)
{
	stv_auto_free char *got =
		cmd_transfer_line("0123456789ab", "Pushing", now, total, width);

	cr_expect_str_eq(got, want);
}

Test(transfer, a_narrow_terminal_has_figures_only)
{
	expect(1500000, 4000000, 80, "0123456789ab: Pushing 1.5MB/4MB");
	expect(1500000, 4000000, 20, "0123456789ab: Pushi");
}

Test(transfer, a_wide_one_has_a_bar)
{
	expect(0, 4000000, 110,
	       "0123456789ab: Pushing "
	       "[>                                                 ]  0B/4MB");
	expect(2000000, 4000000, 110,
	       "0123456789ab: Pushing "
	       "[=========================>                        ]  2MB/4MB");
	expect(4000000, 4000000, 110,
	       "0123456789ab: Pushing "
	       "[==================================================]  4MB/4MB");
}

Test(transfer, more_than_all_is_all)
{
	expect(5000000, 4000000, 80, "0123456789ab: Pushing 4MB/4MB");
	expect(5, 0, 200, "0123456789ab: Pushing 0B/0B");
}
