#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forward/progress.h"

#define LEAF "0101010101010101010101010101010101010101010101010101010101010101"
#define TEXT                                                                                       \
	"{\"checkpoint_offset\":\"8192\",\"connected\":true,\"format\":\"0\",\"leaf\":\"" LEAF     \
	"\",\"leaf_time\":\"7\",\"leaves\":\"5\",\"next\":\"4\",\"origin\":\"binvault/x\","        \
	"\"rewound\":false,\"sentence\":\"\",\"until\":\"9\",\"written\":\"10\"}\n"

static struct progress example(void)
{
	struct progress progress;

	memset(&progress, 0, sizeof(progress));
	snprintf(progress.place.origin, sizeof(progress.place.origin), "binvault/x");
	memset(progress.place.leaf.bytes, 1, HASH_SIZE);
	progress.place.next_index = 4;
	progress.place.leaf_usec = 7;
	progress.place.checkpoint_offset = 8192;
	progress.leaf_count = 5;
	progress.until_usec = 9;
	progress.written_usec = 10;
	progress.connected = true;
	return progress;
}

static void the_file_says_what_was_written(void **state)
{
	struct progress progress = example(), found;
	char text[PROGRESS_TEXT_MAX];
	struct error err;

	(void)state;
	assert_int_equal(progress_encode(&progress, text), strlen(TEXT));
	assert_memory_equal(text, TEXT, strlen(TEXT));
	assert_ok(progress_decode(TEXT, strlen(TEXT), &found, &err), &err);
	assert_memory_equal(&found, &progress, sizeof(found));
}

static void a_sentence_of_any_bytes_and_any_length_fits(void **state)
{
	struct progress progress = example(), found;
	char text[PROGRESS_TEXT_MAX];
	struct error err;
	size_t length;

	(void)state;
	memset(progress.sentence, '"', sizeof(progress.sentence) - 1);
	memcpy(progress.sentence, "\xff\n\x01", 3);
	length = progress_encode(&progress, text);
	assert_ok(progress_decode(text, length, &found, &err), &err);
	assert_int_equal(strlen(found.sentence), ERROR_MESSAGE_SIZE - 1);
	assert_memory_equal(found.sentence, "???\"", 4);
}

static void what_is_not_such_a_file_is_damaged(void **state)
{
	static const struct {
		const char *text, *words;
	} defects[] = {
		{"", "does not end with"},
		{"{}", "does not end with"},
		{"{}\n", "format"},
		{"x\n", "is damaged"},
		{"{\"format\":\"1\"}\n", "later version"},
		{"{\"checkpoint_offset\":\"0\",\"connected\":true,\"format\":\"0\",\"leaf\":\"" LEAF
		 "\",\"leaf_time\":\"7\",\"leaves\":\"5\",\"next\":\"4\",\"origin\":\"\","
		 "\"rewound\":false,\"sentence\":\"\",\"until\":\"9\",\"written\":\"10\"}\n",
		 "leaves of no archive"},
		{"{\"checkpoint_offset\":\"100\",\"connected\":true,\"format\":\"0\",\"leaf\":"
		 "\"" LEAF
		 "\",\"leaf_time\":\"7\",\"leaves\":\"5\",\"next\":\"4\",\"origin\":\"b\","
		 "\"rewound\":false,\"sentence\":\"\",\"until\":\"9\",\"written\":\"10\"}\n",
		 "no slot begins"},
	};
	struct progress progress;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++)
		assert_fails(
			progress_decode(defects[i].text, strlen(defects[i].text), &progress, &err),
			&err, ERROR_DEFECT, defects[i].words);
	/* cut anywhere */
	for (size_t length = 0; length < strlen(TEXT); length++)
		assert_int_equal(progress_decode(TEXT, length, &progress, &err), ERROR_DEFECT);
}

static void it_is_read_back_and_anybody_may_read_it(void **state)
{
	struct progress progress = example(), found;
	char path[] = "/tmp/progress-test-XXXXXX";
	struct stat status;
	struct error err;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(progress_read(fd, &found, &err), ERROR_NOT_FOUND);
	assert_ok(progress_write(fd, &progress, &err), &err);
	assert_ok(progress_read(fd, &found, &err), &err);
	assert_memory_equal(&found, &progress, sizeof(found));
	assert_int_equal(fstatat(fd, PROGRESS_FILE, &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	unlinkat(fd, PROGRESS_FILE, 0);
	close(fd);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_says_what_was_written),
		cmocka_unit_test(a_sentence_of_any_bytes_and_any_length_fits),
		cmocka_unit_test(what_is_not_such_a_file_is_damaged),
		cmocka_unit_test(it_is_read_back_and_anybody_may_read_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
