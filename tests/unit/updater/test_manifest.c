#include "unit/cmocka_prelude.h"

#include <stdio.h>

#include "unit/updater/release_key.h"
#include "updater/manifest.h"

#define SHA		  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define FILE_(name, size) "\"" name "\":{\"sha256\":\"" SHA "\",\"size\":\"" size "\"}"
#define FILES                                                                                      \
	FILE_("root.hash", "2") "," FILE_("root.img", "3") "," FILE_("vault.unsigned.efi", "1")
#define MANIFEST(files, format, version)                                                           \
	"{\"files\":{" files "},\"format\":\"" format "\",\"version\":\"" version "\"}"

static void a_manifest_names_a_version_and_three_files(void **state)
{
	static const char text[] = MANIFEST(FILES, "binvault-update-1", "12");
	struct manifest manifest;
	struct error err = {0};

	(void)state;
	assert_ok(manifest_parse(text, strlen(text), &manifest, &err), &err);
	assert_int_equal(manifest.version, 12);
	assert_int_equal(manifest.files[MANIFEST_KERNEL].size, 1);
	assert_int_equal(manifest.files[MANIFEST_HASH].size, 2);
	assert_int_equal(manifest.files[MANIFEST_ROOT].size, 3);
	assert_int_equal(manifest.files[MANIFEST_ROOT].hash.bytes[1], 0x11);
}

static void every_other_manifest_is_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} defects[] = {
		{MANIFEST(FILES, "binvault-update-2", "1"), "this vault reads binvault-update-1"},
		{MANIFEST(FILES, "binvault-update-1", "0"), "version 0 is not between"},
		{MANIFEST(FILES, "binvault-update-1", "1000000"), "is not between 1 and 999999"},
		{MANIFEST(FILES, "binvault-update-1", "01"), "version"},
		{MANIFEST(FILE_("root.img", "1"), "binvault-update-1", "1"), "does not know"},
		{MANIFEST(FILES "," FILE_("x", "1"), "binvault-update-1", "1"), "does not know"},
		{MANIFEST(FILE_("root.hash", "0") "," FILE_("root.img", "3") "," FILE_(
				  "vault.unsigned.efi", "1"),
			  "binvault-update-1", "1"),
		 "root.hash of 0 bytes"},
		{MANIFEST(FILE_("root.hash", "4294967297") "," FILE_("root.img", "3") "," FILE_(
				  "vault.unsigned.efi", "1"),
			  "binvault-update-1", "1"),
		 "root.hash of 4294967297 bytes"},
		{"{}", "the manifest"},
		{"[]", "the manifest"},
		{MANIFEST(FILES, "binvault-update-1", "1") "\n", "the manifest"},
	};
	struct manifest manifest;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++)
		assert_fails(
			manifest_parse(defects[i].text, strlen(defects[i].text), &manifest, &err),
			&err, ERROR_DEFECT, defects[i].words);
}

static struct release_keys *keys_of(EVP_PKEY *const *keys, size_t count, int threshold)
{
	struct release_keys *parsed = NULL;
	char text[4096];
	size_t size = release_key_list(keys, count, threshold, text, sizeof(text));
	struct error err = {0};

	assert_ok(release_keys_parse(text, size, &parsed, &err), &err);
	return parsed;
}

static void k_different_keys_have_to_sign(void **state)
{
	EVP_PKEY *keys[] = {release_key_new(), release_key_new(), release_key_new()};
	EVP_PKEY *foreign = release_key_new();
	struct release_keys *parsed = keys_of(keys, 3, 2);
	uint8_t bytes[4][SIGNATURE_SIZE_MAX];
	struct manifest_signature signatures[4];
	struct error err = {0};

	(void)state;
	for (int i = 0; i < 4; i++) {
		signatures[i].bytes = bytes[i];
		signatures[i].size =
			release_key_sign(i == 3 ? foreign : keys[i == 1 ? 0 : i], "m", 1, bytes[i]);
	}
	/* 0 and 1 are the same key's, 3 is a stranger's */
	assert_ok(release_keys_verify(parsed, "m", 1, signatures, 3, &err), &err);
	assert_fails(release_keys_verify(parsed, "m", 1, signatures, 2, &err), &err, ERROR_REFUSED,
		     "signed by 1 of the 3 release keys that this vault knows, and 2 have to");
	assert_fails(release_keys_verify(parsed, "m", 1, signatures + 2, 2, &err), &err,
		     ERROR_REFUSED, "signed by 1 of the 3");
	assert_fails(release_keys_verify(parsed, "n", 1, signatures, 4, &err), &err, ERROR_REFUSED,
		     "signed by 0 of the 3");
	assert_fails(release_keys_verify(parsed, "m", 1, signatures, 0, &err), &err, ERROR_REFUSED,
		     "signed by 0 of the 3");
	release_keys_free(parsed);
	for (int i = 0; i < 3; i++)
		EVP_PKEY_free(keys[i]);
	EVP_PKEY_free(foreign);
}

static size_t golden(const char *name, uint8_t *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "tests/golden/updater/%s", name);
	file = fopen(path, "re");
	assert_non_null(file);
	size = fread(bytes, 1, size, file);
	fclose(file);
	return size;
}

/* As image/sign and image/update made them: what a token gives has become DER on the way. */
static void a_manifest_signed_in_a_token_is_accepted(void **state)
{
	struct release_keys *keys = NULL;
	uint8_t manifest[MANIFEST_SIZE_MAX], bytes[SIGNATURE_SIZE_MAX];
	size_t size = golden("manifest.json", manifest, sizeof(manifest));
	const struct manifest_signature signature = {
		.bytes = bytes,
		.size = golden("token-manifest.signature", bytes, sizeof(bytes)),
	};
	struct manifest parsed;
	struct error err = {0};

	(void)state;
	assert_ok(release_keys_read("tests/golden/updater/token-keys.json", &keys, &err), &err);
	assert_ok(manifest_parse((const char *)manifest, size, &parsed, &err), &err);
	assert_ok(release_keys_verify(keys, manifest, size, &signature, 1, &err), &err);
	bytes[signature.size - 1] ^= 1;
	assert_fails(release_keys_verify(keys, manifest, size, &signature, 1, &err), &err,
		     ERROR_REFUSED, "signed by 0 of the 1 release keys");
	release_keys_free(keys);
}

static void keys_that_would_weaken_the_threshold_are_refused(void **state)
{
	EVP_PKEY *key = release_key_new();
	EVP_PKEY *twice[] = {key, key};
	EVP_PKEY *rsa = EVP_RSA_gen(3072);
	struct release_keys *parsed = NULL;
	char text[8192];
	struct error err = {0};

	(void)state;
	assert_fails(release_keys_parse(text, release_key_list(twice, 2, 1, text, sizeof(text)),
					&parsed, &err),
		     &err, ERROR_DEFECT, "keys 1 and 2 are the same");
	assert_fails(release_keys_parse(text, release_key_list(twice, 1, 0, text, sizeof(text)),
					&parsed, &err),
		     &err, ERROR_DEFECT, "0 of 1 keys");
	assert_fails(release_keys_parse(text, release_key_list(twice, 1, 2, text, sizeof(text)),
					&parsed, &err),
		     &err, ERROR_DEFECT, "2 of 1 keys");
	assert_fails(release_keys_parse(text, release_key_list(&rsa, 1, 1, text, sizeof(text)),
					&parsed, &err),
		     &err, ERROR_DEFECT, "a release key is P-256 or P-384");
	EVP_PKEY_free(key);
	EVP_PKEY_free(rsa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_names_a_version_and_three_files),
		cmocka_unit_test(every_other_manifest_is_refused),
		cmocka_unit_test(k_different_keys_have_to_sign),
		cmocka_unit_test(a_manifest_signed_in_a_token_is_accepted),
		cmocka_unit_test(keys_that_would_weaken_the_threshold_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
