#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "signer/last_signed.h"
#include "signer/state_file.h"

struct place {
	char path[64];
	int fd;
	struct last_signed written;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct hash leaf;

	assert_non_null(place);
	snprintf(place->path, sizeof(place->path), "/tmp/binvault-signed-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(place->written.archive_id, 0xa1, 16);
	memset(&place->written.master, 0xb2, HASH_SIZE);
	memset(&place->written.checkpoint, 0xc3, HASH_SIZE);
	memset(&place->written.manifest, 0xd4, HASH_SIZE);
	for (int i = 0; i < 77; i++) {
		hash_bytes(&i, sizeof(i), &leaf);
		tree_append(&place->written.tree, &leaf);
	}
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlinkat(place->fd, LAST_SIGNED_FILE, 0);
	close(place->fd);
	assert_int_equal(rmdir(place->path), 0);
	free(place);
	return 0;
}

static void what_was_written_is_read(void **state)
{
	struct place *place = *state;
	struct last_signed read;
	struct error err;

	assert_ok(last_signed_write(place->fd, &place->written, &err), &err);
	assert_ok(last_signed_read(place->fd, &read, &err), &err);
	assert_memory_equal(&read, &place->written, sizeof(read));
}

static void the_largest_tree_fits(void **state)
{
	struct place *place = *state;
	struct last_signed read;
	struct error err;

	place->written.tree.size = TREE_SIZE_MAX;
	memset(place->written.tree.nodes, 0x5e, 63 * sizeof(struct hash));
	memset(&place->written.tree.nodes[63], 0, sizeof(struct hash));
	assert_ok(last_signed_write(place->fd, &place->written, &err), &err);
	assert_ok(last_signed_read(place->fd, &read, &err), &err);
	assert_true(tree_equal(&read.tree, &place->written.tree));
}

static void no_file_is_told_from_a_damaged_one(void **state)
{
	struct place *place = *state;
	struct last_signed read;
	struct error err;

	assert_fails(last_signed_read(place->fd, &read, &err), &err, ERROR_NOT_FOUND,
		     LAST_SIGNED_FILE);
}

static void every_flipped_byte_is_found(void **state)
{
	struct place *place = *state;
	struct last_signed read_state;
	struct error err;
	uint8_t text[4096];
	ssize_t size;
	int fd;

	assert_ok(last_signed_write(place->fd, &place->written, &err), &err);
	fd = openat(place->fd, LAST_SIGNED_FILE, O_RDWR);
	size = pread(fd, text, sizeof(text), 0);
	assert_true(size > 100);
	for (ssize_t i = 0; i < size; i++) {
		uint8_t flipped = text[i] ^ 1;

		assert_int_equal(pwrite(fd, &flipped, 1, i), 1);
		assert_fails(last_signed_read(place->fd, &read_state, &err), &err, ERROR_DEFECT,
			     "damaged");
		assert_int_equal(pwrite(fd, &text[i], 1, i), 1);
	}
	for (ssize_t i = 0; i < size; i++) {
		assert_int_equal(ftruncate(fd, size - 1 - i), 0);
		assert_fails(last_signed_read(place->fd, &read_state, &err), &err, ERROR_DEFECT,
			     "damaged");
	}
	close(fd);
}

static void a_later_format_is_left_alone(void **state)
{
	struct place *place = *state;
	struct last_signed read;
	json_t *object = json_object();
	struct error err;

	json_put_u64(object, "format", 1);
	assert_ok(state_file_write(place->fd, LAST_SIGNED_FILE, object, &err), &err);
	json_decref(object);
	assert_fails(last_signed_read(place->fd, &read, &err), &err, ERROR_USAGE,
		     "of a later version");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),		  TEST(the_largest_tree_fits),
		TEST(no_file_is_told_from_a_damaged_one), TEST(every_flipped_byte_is_found),
		TEST(a_later_format_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
