/* Kernel images of one section, signed by sbsign; see tests/golden/updater. */
#include "unit/cmocka_prelude.h"

#include <stdio.h>

#include "updater/secure_boot.h"

#define GOLDEN "tests/golden/updater/"

struct bytes {
	uint8_t bytes[4096];
	size_t size;
};

static struct bytes golden(const char *path)
{
	struct bytes read = {.size = 0};
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	read.size = fread(read.bytes, 1, sizeof(read.bytes), file);
	fclose(file);
	return read;
}

static int verify(const char *certificates, const struct bytes *image,
		  const struct bytes *signature, struct error *err)
{
	CLEANUP(secure_boot_freep)
	struct secure_boot *keys = NULL;

	assert_ok(secure_boot_read(certificates, &keys, err), err);
	return secure_boot_verify(keys, image->bytes, image->size, signature->bytes,
				  signature->size, err);
}

static void what_the_firmware_would_start_is_accepted(void **state)
{
	struct bytes image = golden(GOLDEN "kernel.efi");
	struct bytes signature = golden(GOLDEN "kernel.signature");
	struct bytes unaligned = golden(GOLDEN "kernel-unaligned.efi");
	struct bytes unaligned_signature = golden(GOLDEN "kernel-unaligned.signature");
	struct error err = {0};

	(void)state;
	assert_ok(verify(GOLDEN "db.crt", &image, &signature, &err), &err);
	assert_ok(verify(GOLDEN "two.crt", &image, &signature, &err), &err);
	assert_ok(verify(GOLDEN "db.crt", &unaligned, &unaligned_signature, &err), &err);
	/* the checksum is not signed */
	image.bytes[64 + 24 + 64] ^= 1;
	assert_ok(verify(GOLDEN "db.crt", &image, &signature, &err), &err);
}

static void what_a_token_has_signed_is_accepted(void **state)
{
	struct bytes image = golden(GOLDEN "kernel.efi");
	struct bytes signature = golden(GOLDEN "token-kernel.signature");
	struct error err = {0};

	(void)state;
	assert_ok(verify(GOLDEN "token.crt", &image, &signature, &err), &err);
	assert_fails(verify(GOLDEN "db.crt", &image, &signature, &err), &err, ERROR_REFUSED,
		     "is not signed for Secure Boot by a key that this vault knows");
}

static void another_key_and_another_image_are_refused(void **state)
{
	struct bytes image = golden(GOLDEN "kernel.efi");
	struct bytes signature = golden(GOLDEN "kernel.signature");
	struct bytes unaligned = golden(GOLDEN "kernel-unaligned.efi");
	struct error err = {0};

	(void)state;
	assert_fails(verify(GOLDEN "other.crt", &image, &signature, &err), &err, ERROR_REFUSED,
		     "is not signed for Secure Boot by a key that this vault knows");
	assert_fails(verify(GOLDEN "db.crt", &unaligned, &signature, &err), &err, ERROR_REFUSED,
		     "is that of another kernel image");
	image.bytes[1000] ^= 1;
	assert_fails(verify(GOLDEN "db.crt", &image, &signature, &err), &err, ERROR_REFUSED,
		     "is that of another kernel image");
}

static void no_changed_signature_is_accepted(void **state)
{
	struct bytes image = golden(GOLDEN "kernel.efi");
	struct bytes signature = golden(GOLDEN "kernel.signature");
	struct error err = {0};

	(void)state;
	/* the digest, and the RSA signature at the end */
	for (size_t at = 59; at < 165; at++) {
		signature.bytes[at] ^= 1;
		assert_true(verify(GOLDEN "db.crt", &image, &signature, &err) < 0);
		signature.bytes[at] ^= 1;
	}
	for (size_t at = signature.size - 256; at < signature.size; at++) {
		signature.bytes[at] ^= 1;
		assert_true(verify(GOLDEN "db.crt", &image, &signature, &err) < 0);
		signature.bytes[at] ^= 1;
	}
	for (size_t size = 0; size < signature.size; size += 7) {
		struct bytes cut = signature;

		cut.size = size;
		assert_fails(verify(GOLDEN "db.crt", &image, &cut, &err), &err, ERROR_DEFECT,
			     "the Secure Boot signature is none");
	}
}

static void a_file_without_certificates_is_refused(void **state)
{
	CLEANUP(secure_boot_freep)
	struct secure_boot *keys = NULL;
	struct error err = {0};

	(void)state;
	assert_fails(secure_boot_read(GOLDEN "kernel.efi", &keys, &err), &err, ERROR_USAGE,
		     "kernel.efi holds no certificate");
	assert_fails(secure_boot_read("/nowhere", &keys, &err), &err, ERROR_USAGE,
		     "/nowhere holds no certificate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_firmware_would_start_is_accepted),
		cmocka_unit_test(what_a_token_has_signed_is_accepted),
		cmocka_unit_test(another_key_and_another_image_are_refused),
		cmocka_unit_test(no_changed_signature_is_accepted),
		cmocka_unit_test(a_file_without_certificates_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
