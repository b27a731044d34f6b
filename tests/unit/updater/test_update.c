/* Updates made in memory, with keys made for the test. */
#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "unit/updater/release_key.h"
#include "updater/update.h"

#define GOLDEN	    "tests/golden/updater/"
#define KERNEL_SIZE 1024
#define ROOT_SIZE   150000 /* more than one piece */
#define TAR_SIZE    (1 << 20)

struct member {
	const char *name;
	const void *bytes;
	size_t size;
};

struct parts {
	EVP_PKEY *key;
	struct release_keys *keys;
	struct secure_boot *secure_boot;
	uint8_t kernel_signature[4096];
	uint8_t kernel[KERNEL_SIZE], root[ROOT_SIZE];
	char manifest[MANIFEST_SIZE_MAX];
	uint8_t signature[SIGNATURE_SIZE_MAX];
	struct member members[6];
	uint8_t tar[TAR_SIZE];
	size_t tar_size;
};

static void name_file(char *to, const char *name, const void *bytes, size_t size, const char *end)
{
	char digits[HEX_SIZE(HASH_SIZE)];
	struct hash hash;

	hash_bytes(bytes, size, &hash);
	hex_encode(hash.bytes, HASH_SIZE, digits);
	snprintf(to + strlen(to), MANIFEST_SIZE_MAX - strlen(to),
		 "\"%s\":{\"sha256\":\"%s\",\"size\":\"%zu\"}%s", name, digits, size, end);
}

static void make_tar(struct parts *parts, size_t member_count)
{
	struct archive *archive = archive_write_new();

	archive_write_set_format_ustar(archive);
	archive_write_open_memory(archive, parts->tar, TAR_SIZE, &parts->tar_size);
	for (size_t i = 0; i < member_count; i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, parts->members[i].name);
		archive_entry_set_size(entry, (int64_t)parts->members[i].size);
		archive_entry_set_filetype(entry, AE_IFREG);
		assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
		archive_write_data(archive, parts->members[i].bytes, parts->members[i].size);
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
}

static size_t read_golden(const char *name, void *bytes, size_t size)
{
	char path[128];
	FILE *file;
	size_t count;

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	file = fopen(path, "re");
	assert_non_null(file);
	count = fread(bytes, 1, size, file);
	fclose(file);
	return count;
}

static int make_parts(void **state)
{
	struct parts *parts = calloc(1, sizeof(*parts));
	char text[1024];
	struct error err = {0};

	assert_non_null(parts);
	parts->key = release_key_new();
	assert_ok(release_keys_parse(text, release_key_list(&parts->key, 1, 1, text, sizeof(text)),
				     &parts->keys, &err),
		  &err);
	assert_ok(secure_boot_read(GOLDEN "db.crt", &parts->secure_boot, &err), &err);
	assert_int_equal(read_golden("kernel.efi", parts->kernel, KERNEL_SIZE), KERNEL_SIZE);
	memset(parts->root, 0x5a, ROOT_SIZE);
	snprintf(parts->manifest, sizeof(parts->manifest), "{\"files\":{");
	name_file(parts->manifest, "root.hash", "tree", 4, ",");
	name_file(parts->manifest, "root.img", parts->root, ROOT_SIZE, ",");
	name_file(parts->manifest, "vault.unsigned.efi", parts->kernel, KERNEL_SIZE,
		  "},\"format\":\"binvault-update-1\",\"version\":\"2\"}");
	parts->members[0] =
		(struct member){"manifest.json", parts->manifest, strlen(parts->manifest)};
	parts->members[1] =
		(struct member){"signatures/1", parts->signature,
				release_key_sign(parts->key, parts->manifest,
						 strlen(parts->manifest), parts->signature)};
	parts->members[2] = (struct member){"vault.unsigned.efi", parts->kernel, KERNEL_SIZE};
	parts->members[3] = (struct member){"vault.efi.signature", parts->kernel_signature,
					    read_golden("kernel.signature", parts->kernel_signature,
							sizeof(parts->kernel_signature))};
	parts->members[4] = (struct member){"root.hash", "tree", 4};
	parts->members[5] = (struct member){"root.img", parts->root, ROOT_SIZE};
	make_tar(parts, 6);
	*state = parts;
	return 0;
}

static int free_parts(void **state)
{
	struct parts *parts = *state;

	release_keys_free(parts->keys);
	secure_boot_free(parts->secure_boot);
	EVP_PKEY_free(parts->key);
	free(parts);
	return 0;
}

static int count(void *context, const void *bytes, size_t size, struct error *err)
{
	size_t *total = context;

	(void)bytes;
	if (*total > 2 * ROOT_SIZE)
		return error_set(err, ERROR_IO, "the disk is broken");
	*total += size;
	return 0;
}

/* All of it, as binvault-update does it. */
static int read_all(const struct parts *parts, size_t *total, struct error *err)
{
	const struct update_sink sink = {.write = count, .context = total};
	CLEANUP(update_freep)
	struct update *update = NULL;
	struct manifest manifest;
	const uint8_t *kernel;
	size_t size;

	if (update_open_memory(parts->tar, parts->tar_size, &update, err) < 0 ||
	    update_read_manifest(update, parts->keys, &manifest, err) < 0 ||
	    update_read_kernel(update, &manifest, parts->secure_boot, &kernel, &size, err) < 0 ||
	    update_copy(update, &manifest, MANIFEST_HASH, &sink, err) < 0 ||
	    update_copy(update, &manifest, MANIFEST_ROOT, &sink, err) < 0)
		return err->code;
	assert_int_equal(manifest.version, 2);
	assert_true(size > KERNEL_SIZE + parts->members[3].size);
	assert_memory_equal(kernel + KERNEL_SIZE + 8, parts->kernel_signature,
			    parts->members[3].size);
	return 0;
}

static void an_update_is_read_from_front_to_end(void **state)
{
	const struct parts *parts = *state;
	struct error err = {0};
	size_t total = 0;

	assert_true(update_begins(parts->tar));
	assert_ok(read_all(parts, &total, &err), &err);
	assert_int_equal(total, 4 + ROOT_SIZE);
}

static void what_is_not_as_signed_is_refused(void **state)
{
	static const struct {
		int member;
		const char *words;
		int code;
	} changes[] = {
		{0, "signed by 0 of the 1 release keys", ERROR_REFUSED},
		{1, "signed by 0 of the 1 release keys", ERROR_REFUSED},
		{2, "vault.unsigned.efi is not the one that the manifest names", ERROR_DEFECT},
		{3, "is not signed for Secure Boot by a key that this vault knows", ERROR_REFUSED},
		{4, "root.hash is not the one that the manifest names", ERROR_DEFECT},
		{5, "root.img is not the one that the manifest names", ERROR_DEFECT},
	};
	struct parts *parts = *state;
	uint8_t changed[ROOT_SIZE];
	struct error err = {0};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct member *member = &parts->members[changes[i].member];
		const void *bytes = member->bytes;
		size_t total = 0;

		memcpy(changed, bytes, member->size);
		changed[member->size - 1] ^= 1;
		member->bytes = changed;
		make_tar(parts, 6);
		assert_fails(read_all(parts, &total, &err), &err, changes[i].code,
			     changes[i].words);
		member->bytes = bytes;
	}
}

static void members_in_another_order_or_of_another_size_are_refused(void **state)
{
	struct parts *parts = *state;
	struct member saved = parts->members[4];
	struct error err = {0};
	size_t total = 0;

	parts->members[4].name = "../../etc/passwd";
	make_tar(parts, 6);
	assert_fails(read_all(parts, &total, &err), &err, ERROR_DEFECT,
		     "the update holds '../../etc/passwd' where root.hash has to be");
	parts->members[4] = (struct member){"root.hash", "trees", 5};
	make_tar(parts, 6);
	assert_fails(read_all(parts, &total, &err), &err, ERROR_DEFECT,
		     "root.hash of 5 bytes, and at most 4 may be");
	parts->members[4] = saved;
	parts->members[2].size--;
	make_tar(parts, 6);
	assert_fails(read_all(parts, &total, &err), &err, ERROR_DEFECT,
		     "vault.unsigned.efi is not as long as the manifest says");
}

static void an_update_that_ends_anywhere_is_refused(void **state)
{
	struct parts *parts = *state;
	struct error err = {0};

	/* the last 1024 bytes and more say only that it ends */
	for (size_t size = 0; size < parts->tar_size - 10240; size += 509) {
		struct parts *cut = malloc(sizeof(*cut));
		size_t total = 0;

		assert_non_null(cut);
		memcpy(cut, parts, sizeof(*cut));
		cut->tar_size = size;
		assert_true(read_all(cut, &total, &err) < 0);
		free(cut);
	}
}

static void a_sink_that_fails_ends_it(void **state)
{
	const struct parts *parts = *state;
	size_t total = 3 * ROOT_SIZE;
	struct error err = {0};

	assert_fails(read_all(parts, &total, &err), &err, ERROR_IO, "the disk is broken");
}

static void another_disk_does_not_begin_so(void **state)
{
	uint8_t sector[UPDATE_SECTOR_SIZE] = "manifest.json";

	(void)state;
	assert_false(update_begins(sector));
	memcpy(sector + 257, "ustar", 5);
	assert_true(update_begins(sector));
	sector[0] = 'M';
	assert_false(update_begins(sector));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_update_is_read_from_front_to_end, make_parts,
						free_parts),
		cmocka_unit_test_setup_teardown(what_is_not_as_signed_is_refused, make_parts,
						free_parts),
		cmocka_unit_test_setup_teardown(
			members_in_another_order_or_of_another_size_are_refused, make_parts,
			free_parts),
		cmocka_unit_test_setup_teardown(an_update_that_ends_anywhere_is_refused, make_parts,
						free_parts),
		cmocka_unit_test_setup_teardown(a_sink_that_fails_ends_it, make_parts, free_parts),
		cmocka_unit_test(another_disk_does_not_begin_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
