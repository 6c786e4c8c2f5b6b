/*
 * core/fuzz/replay_main.c - run a fuzz target on files instead of libFuzzer.
 *
 * Linked to any FOLDER/fuzz/fuzz_NAME.c; the arguments are files.  So corpora
 * and former crashes are part of 'make test', with any compiler.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger files are no corpus. */
#define INPUT_MAX ((size_t)64 << 20)

int
main(int argc, char **argv)
{
	uint8_t *data = malloc(INPUT_MAX);

	if (data == NULL)
		return 1;
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		uint8_t *exact;
		size_t n;

		if (f == NULL) {
			perror(argv[i]);
			return 1;
		}
		n = fread(data, 1, INPUT_MAX, f);
		(void)fclose(f);
		/* As long as the input, so that a sanitizer sees an overrun. */
		exact = malloc(n > 0 ? n : 1);
		if (exact == NULL)
			return 1;
		for (size_t k = 0; k < n; k++)
			exact[k] = data[k];
		(void)fprintf(stderr, "%s\n", argv[i]);
		(void)LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
	free(data);
	return 0;
}
