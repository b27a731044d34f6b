#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit/cmocka_prelude.h"
#include "unit/keeper/tar_builder.h"

#include "keeper/export_tar.h"
#include "protocol/manifest.h"

#define BODY	  "{\"a\":1}"
#define BODY_PATH "r1/" MANIFEST_BODY_FILE
#define SIGN_PATH "r1/" MANIFEST_SIGNATURE_FILE

/* As binvault-export ends a tar. */
static struct tar_builder *whole(void)
{
	struct tar_builder *tar = calloc(1, sizeof(*tar));

	assert_non_null(tar);
	tar_builder_add(tar, "r1/b.000001", "bytes", 5);
	tar_builder_add(tar, BODY_PATH, BODY, strlen(BODY));
	tar_builder_add(tar, SIGN_PATH, "sig", 3);
	tar_builder_end(tar);
	return tar;
}

/* Offsets of whole()'s headers from its beginning. */
#define BODY_HEADER (2 * 512)
#define SIGN_HEADER (4 * 512)

static int read_tar(const struct tar_builder *tar, const char *top, char body[static 64],
		    uint8_t signature[static SIGNATURE_SIZE_MAX], size_t *ret_signature_size,
		    struct error *err)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);
	uint8_t *bytes = NULL;
	size_t size = 0;
	int r;

	assert_int_equal(write(fd, tar->bytes, tar->size), tar->size);
	r = export_tar_manifest(fd, top, &bytes, &size, signature, ret_signature_size, err);
	close(fd);
	if (r < 0)
		return r;
	assert_true(size < 64);
	memcpy(body, bytes, size);
	body[size] = '\0';
	free(bytes);
	return 0;
}

static void body_and_signature_are_found_from_the_end(void **state)
{
	struct tar_builder *tar = whole();
	uint8_t signature[SIGNATURE_SIZE_MAX];
	struct error err = {0};
	char body[64];
	size_t size;

	(void)state;
	assert_ok(read_tar(tar, "r1", body, signature, &size, &err), &err);
	assert_string_equal(body, BODY);
	assert_int_equal(size, 3);
	assert_memory_equal(signature, "sig", 3);
	free(tar);
}

static void assert_refused(struct tar_builder *tar, const char *top, const char *words)
{
	uint8_t signature[SIGNATURE_SIZE_MAX];
	struct error err = {0};
	char body[64];
	size_t size;

	assert_fails(read_tar(tar, top, body, signature, &size, &err), &err, ERROR_DEFECT, words);
	free(tar);
}

static struct tar_builder *changed(size_t offset, const char *bytes)
{
	struct tar_builder *tar = whole();

	memcpy(tar->bytes + offset, bytes, strlen(bytes));
	return tar;
}

static struct tar_builder *cut(size_t size)
{
	struct tar_builder *tar = whole();

	tar->size = size;
	return tar;
}

static void a_tar_that_ends_otherwise_is_refused(void **state)
{
	(void)state;
	assert_refused(whole(), "r2", "no " MANIFEST_SIGNATURE_FILE);
	assert_refused(cut(0), "r1", "no tar of a restore");
	assert_refused(cut(3 * 512), "r1", "no tar of a restore");
	assert_refused(cut(7 * 512 + 511), "r1", "no tar of a restore");
	assert_refused(cut(7 * 512), "r1", "no " MANIFEST_SIGNATURE_FILE);
	assert_refused(changed(SIGN_HEADER + 124, "00000000000"), "r1", "no MANIFEST.sig");
	assert_refused(changed(SIGN_HEADER + 124, "00000001000"), "r1", "no MANIFEST.sig");
	assert_refused(changed(SIGN_HEADER + 124, "0000000000x"), "r1", "no MANIFEST.sig");
	assert_refused(changed(SIGN_HEADER + 156, "2"), "r1", "no MANIFEST.sig");
	assert_refused(changed(SIGN_HEADER + 257, "pax"), "r1", "no MANIFEST.sig");
	assert_refused(changed(BODY_HEADER, "r2"), "r1", "no MANIFEST.json");
	assert_refused(changed(BODY_HEADER + 124, "00000001001"), "r1", "no MANIFEST.json");
	assert_refused(changed(BODY_HEADER + 124, "77777777777"), "r1", "no MANIFEST.json");
	assert_refused(changed(BODY_HEADER + 124, "00000000000"), "r1", "no MANIFEST.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(body_and_signature_are_found_from_the_end),
		cmocka_unit_test(a_tar_that_ends_otherwise_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
