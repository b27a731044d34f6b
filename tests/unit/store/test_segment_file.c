#include "unit/store/store_fixture.h"

static void a_segment_is_created_whole_and_only_once(void **state)
{
	struct fixture f;
	struct fixture_segment segment;
	struct segment_files files = {0};
	struct stat status;
	struct bytes file;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_open_segment(&f, "orders", "mariadb-bin.000001", 0, 4, &segment);
	assert_int_equal(
		strncmp(segment.files.path, "segments/orders/2026-11/mariadb-bin.000001.4.", 45),
		0);
	file = fixture_load(&f, segment.files.path);
	assert_int_equal(file.size, store_block_size(f.store));
	assert_memory_equal(file.data, segment.opened.header_bytes, SEGMENT_HEADER_SIZE);
	for (size_t i = SEGMENT_HEADER_SIZE; i < file.size; i++)
		assert_int_equal(file.data[i], 0);
	free(file.data);
	assert_int_equal(fcntl(segment.files.fds[0], F_GETFL) & (O_APPEND | O_DIRECT | O_ACCMODE),
			 O_APPEND | O_DIRECT | O_WRONLY);
	assert_int_equal(fstat(segment.files.fds[0], &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(
		fstatat(store_volume_fd(f.store, 0), "segments/orders/2026-11", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 02750);
	assert_fails(
		segment_files_create(f.store, segment.opened.header_bytes, "2026-11", &files, &err),
		&err, ERROR_EXISTS, "creating segment");
	fixture_abandon(&segment);
	fixture_release(&f);
}

static void paths_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const paths[] = {"archive.id",   "segments/../archive.id",
					    "/segments/x",  "segments//x",
					    "segments/a b", "ledger/checkpoints"};
	struct fixture f;
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
		assert_int_equal(segment_file_open(f.store, 0, paths[i], SEGMENT_BUFFERED, &err),
				 ERROR_DEFECT);
	assert_int_equal(symlinkat("../archive.id", store_volume_fd(f.store, 0), "segments/link"),
			 0);
	assert_true(segment_file_open(f.store, 0, "segments/link", SEGMENT_BUFFERED, &err) < 0);
	fixture_release(&f);
}

struct seen {
	size_t count;
	uint64_t size;
	char last[SEGMENT_PATH_SIZE];
	bool stop;
};

static int see(void *context, const char *path, uint64_t size, struct error *err)
{
	struct seen *seen = context;

	seen->count++;
	seen->size += size;
	snprintf(seen->last, sizeof(seen->last), "%s", path);
	return seen->stop ? error_set(err, ERROR_FAILED, "enough") : 0;
}

static void every_file_below_segments_is_listed(void **state)
{
	struct fixture f;
	struct seen seen = {0};
	struct error err;

	(void)state;
	fixture_init(&f, "/dev/shm");
	fixture_create(&f, WORM_ADVISORY, 0);
	fixture_segment(&f, "orders", "binlog.000001", 4, 100, SEGMENT_ENDED_SIZE, NULL);
	fixture_segment(&f, "crm", "binlog.000001", 4, 100, SEGMENT_ENDED_SIZE, NULL);
	fixture_save(&f, "segments/crm/2026-11/stranger", "abc", 3);
	assert_ok(segment_files_list(f.store, 0, see, &seen, &err), &err);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.size % 4096, 3);
	assert_int_equal(strncmp(seen.last, "segments/", 9), 0);
	seen.stop = true;
	assert_fails(segment_files_list(f.store, 0, see, &seen, &err), &err, ERROR_FAILED,
		     "enough");
	assert_int_equal(seen.count, 4);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_is_created_whole_and_only_once),
		cmocka_unit_test(paths_that_lead_elsewhere_are_refused),
		cmocka_unit_test(every_file_below_segments_is_listed),
	};

	return cmocka_run_group_tests(tests, fixture_keys, fixture_keys_free);
}
