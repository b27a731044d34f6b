#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>

#include <archive.h>
#include <archive_entry.h>

#include "unit/restore/restore_fixture.h"

#include "protocol/manifest.h"
#include "restore/tar.h"

#define TOP "INC-4711"

static struct output_file write_file(const struct place *place, const char *name,
				     const uint8_t *bytes, size_t size)
{
	struct output *output = output_new(place->fd);
	struct output_file file;
	struct error err = {0};

	assert_ok(output_begin(output, name, &err), &err);
	for (size_t done = 0; done < size;) {
		size_t piece = MIN(size - done, (size_t)100000);

		assert_ok(output_write(output, bytes + done, piece, &err), &err);
		done += piece;
	}
	assert_ok(output_finish(output, &file, &err), &err);
	output_free(output);
	return file;
}

static uint8_t *some_bytes(size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	uint64_t seed = 7;

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)builder_next(&seed);
	return bytes;
}

static bool place_has(const struct place *place, const char *name)
{
	return faccessat(place->fd, name, F_OK, 0) == 0;
}

static void assert_entry(struct archive *reader, const char *path, const uint8_t *bytes,
			 size_t size)
{
	struct archive_entry *entry;
	uint8_t *content = malloc(size + 1);

	assert_int_equal(archive_read_next_header(reader, &entry), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(entry), path);
	assert_int_equal(archive_entry_size(entry), size);
	assert_int_equal(archive_entry_mode(entry), S_IFREG | 0440);
	assert_int_equal(archive_entry_uid(entry), 0);
	assert_int_equal(archive_entry_gid(entry), 0);
	assert_int_equal(archive_entry_mtime(entry), 0);
	assert_int_equal(archive_read_data(reader, content, size + 1), size);
	assert_memory_equal(content, bytes, size);
	free(content);
}

/* A large one, an empty one, one with a name that no ustar header holds, a small text. */
static void what_was_taken_comes_out_again_in_order(void **state)
{
	static const size_t sizes[] = {(3u << 20) + 17, 0, 512, 4};
	char names[ARRAY_LENGTH(sizes)][BINLOG_NAME_MAX + 1] = {"b.000001", "b.000002"};
	char path[BINLOG_NAME_MAX + sizeof(TOP) + 2];
	uint8_t *bytes = some_bytes(sizes[0]);
	struct archive *reader = archive_read_new();
	struct archive_entry *entry;
	struct place place;
	struct tar *tar;
	struct error err = {0};

	(void)state;
	memset(names[2], 'n', BINLOG_NAME_MAX);
	memcpy(names[3], "a.1", 4);
	place_init(&place);
	assert_ok(tar_new(place.fd, TOP, &tar, &err), &err);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct output_file file = write_file(&place, names[i], bytes, sizes[i]);

		assert_true(place_has(&place, names[i]));
		assert_ok(tar_take(tar, &file, &err), &err);
		assert_false(place_has(&place, names[i]));
	}
	assert_ok(tar_add(tar, MANIFEST_SUMS_FILE, "sums", 4, &err), &err);
	assert_ok(tar_finish(tar, &err), &err);
	tar_free(tar);

	snprintf(path, sizeof(path), "%s/" MANIFEST_TAR_FILE, place.path);
	archive_read_support_format_tar(reader);
	assert_int_equal(archive_read_open_filename(reader, path, 65536), ARCHIVE_OK);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		snprintf(path, sizeof(path), TOP "/%.*s", BINLOG_NAME_MAX, names[i]);
		assert_entry(reader, path, bytes, sizes[i]);
	}
	assert_entry(reader, TOP "/" MANIFEST_SUMS_FILE, (const uint8_t *)"sums", 4);
	assert_int_equal(archive_read_next_header(reader, &entry), ARCHIVE_EOF);
	archive_read_free(reader);
	free(bytes);
	place_release(&place);
}

/* What the keeper looks for after a crash (keeper/export_tar.h): the plain header of the last entry
 * four blocks from the end. */
static void small_entries_have_plain_headers_and_the_end_two_blocks(void **state)
{
	struct place place;
	struct tar *tar;
	struct error err = {0};
	uint8_t *bytes;
	size_t size;

	(void)state;
	place_init(&place);
	for (int i = 0; i < 2; i++) { /* the same bytes each time */
		assert_ok(tar_new(place.fd, TOP, &tar, &err), &err);
		assert_ok(tar_add(tar, MANIFEST_BODY_FILE, "{}", 2, &err), &err);
		assert_ok(tar_add(tar, MANIFEST_SIGNATURE_FILE, "sig", 3, &err), &err);
		assert_ok(tar_finish(tar, &err), &err);
		tar_free(tar);
		bytes = place_read(&place, MANIFEST_TAR_FILE, &size);
		assert_int_equal(size, 6 * 512);
		assert_memory_equal(bytes, TOP "/" MANIFEST_BODY_FILE,
				    sizeof(TOP "/" MANIFEST_BODY_FILE));
		assert_memory_equal(bytes + 2 * 512, TOP "/" MANIFEST_SIGNATURE_FILE,
				    sizeof(TOP "/" MANIFEST_SIGNATURE_FILE));
		assert_memory_equal(bytes + 2 * 512 + 124, "00000000003", 11);
		assert_memory_equal(bytes + 2 * 512 + 257, "ustar", 6);
		assert_memory_equal(bytes + 3 * 512, "sig\0", 4);
		free(bytes);
		place_empty(&place);
	}
	place_release(&place);
}

static void the_systems_tar_reads_it(void **state)
{
	struct place place;
	struct output_file file;
	struct tar *tar;
	struct error err = {0};
	char command[512];

	(void)state;
	place_init(&place);
	assert_ok(tar_new(place.fd, TOP, &tar, &err), &err);
	file = write_file(&place, "b.000001", (const uint8_t *)"first ", 6);
	assert_ok(tar_take(tar, &file, &err), &err);
	file = write_file(&place, "b.000002", (const uint8_t *)"second", 6);
	assert_ok(tar_take(tar, &file, &err), &err);
	assert_ok(tar_finish(tar, &err), &err);
	tar_free(tar);
	snprintf(command, sizeof(command),
		 "cd %s && test \"$(tar -xOf " MANIFEST_TAR_FILE ")\" = 'first second' && "
		 "tar -tvf " MANIFEST_TAR_FILE " >list 2>words && test ! -s words && "
		 "test \"$(grep -c '^-r--r----- 0/0 .* " TOP "/b.00000' list)\" = 2",
		 place.path);
	assert_int_equal(system(command), 0);
	place_release(&place);
}

static void a_file_that_changed_meanwhile_is_a_defect(void **state)
{
	struct place place;
	struct output_file file;
	struct tar *tar;
	struct error err = {0};
	int fd;

	(void)state;
	place_init(&place);
	assert_ok(tar_new(place.fd, TOP, &tar, &err), &err);
	file = write_file(&place, "b.000001", (const uint8_t *)"first", 5);
	fd = openat(place.fd, "b.000001", O_WRONLY);
	assert_int_equal(pwrite(fd, "F", 1, 0), 1);
	close(fd);
	assert_fails(tar_take(tar, &file, &err), &err, ERROR_DEFECT, "was changed between");
	tar_free(tar);
	place_empty(&place);
	/* … and one that became shorter. */
	assert_ok(tar_new(place.fd, TOP, &tar, &err), &err);
	file = write_file(&place, "b.000001", (const uint8_t *)"first", 5);
	fd = openat(place.fd, "b.000001", O_WRONLY | O_TRUNC);
	close(fd);
	assert_true(tar_take(tar, &file, &err) < 0);
	assert_non_null(strstr(err.message, "moving 'b.000001' into the tar"));
	tar_free(tar);
	place_release(&place);
}

static void a_small_file_that_is_large_is_refused(void **state)
{
	struct place place;
	struct tar *tar;
	struct error err = {0};
	size_t size;

	(void)state;
	place_init(&place);
	assert_ok(tar_new(place.fd, TOP, &tar, &err), &err);
	assert_ok(output_small(place.fd, MANIFEST_KEY_FILE, "12345", 5, &err), &err);
	assert_fails(tar_take_small(tar, MANIFEST_KEY_FILE, 4, &err), &err, ERROR_DEFECT,
		     "it has 5 bytes");
	assert_ok(tar_take_small(tar, MANIFEST_KEY_FILE, 5, &err), &err);
	assert_fails(tar_take_small(tar, MANIFEST_KEY_FILE, 5, &err), &err, ERROR_NOT_FOUND,
		     MANIFEST_KEY_FILE);
	tar_free(tar);
	/* One entry, and no end: it was not finished. */
	free(place_read(&place, MANIFEST_TAR_FILE, &size));
	assert_int_equal(size, 2 * 512);
	place_release(&place);
}

static void a_tar_that_is_there_is_not_overwritten(void **state)
{
	struct place place;
	struct tar *tar;
	struct error err = {0};

	(void)state;
	place_init(&place);
	assert_ok(output_small(place.fd, MANIFEST_TAR_FILE, "x", 1, &err), &err);
	assert_fails(tar_new(place.fd, TOP, &tar, &err), &err, ERROR_EXISTS, "creating");
	assert_file(&place, MANIFEST_TAR_FILE, (const uint8_t *)"x", 1);
	place_release(&place);
}

/* The file size limit plays the full disk. */
static void a_write_that_fails_says_so_and_no_end_is_written(void **state)
{
	struct rlimit before, limit;
	uint8_t *bytes = some_bytes(1u << 20);
	struct output_file file;
	struct place place;
	struct tar *tar;
	struct error err = {0};
	size_t size;

	(void)state;
	place_init(&place);
	assert_ok(tar_new(place.fd, TOP, &tar, &err), &err);
	file = write_file(&place, "b.000001", bytes, 1u << 20);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_fails(tar_take(tar, &file, &err), &err, ERROR_IO,
		     "writing '" MANIFEST_TAR_FILE "': File too large");
	tar_free(tar);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	free(place_read(&place, MANIFEST_TAR_FILE, &size));
	assert_int_equal(size, 4096);
	free(bytes);
	place_release(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_taken_comes_out_again_in_order),
		cmocka_unit_test(small_entries_have_plain_headers_and_the_end_two_blocks),
		cmocka_unit_test(the_systems_tar_reads_it),
		cmocka_unit_test(a_file_that_changed_meanwhile_is_a_defect),
		cmocka_unit_test(a_small_file_that_is_large_is_refused),
		cmocka_unit_test(a_tar_that_is_there_is_not_overwritten),
		cmocka_unit_test(a_write_that_fails_says_so_and_no_end_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
