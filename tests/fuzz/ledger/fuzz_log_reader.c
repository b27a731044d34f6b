/*
 * A ledger of two files and a file of checkpoints out of the input, separated by bytes 0x01. If
 * the reader finds no defect, the log must be able to go on, and what it writes must read clean.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/log.h"
#include "ledger/verify.h"

#define VOLUME "8d0c1fd2-6f5e-4b0e-9f8e-000000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"00000000000000000000.jsonl", "00000000000000000002.jsonl", "checkpoints",
	"00000000000000000003.jsonl", "00000000000000000004.jsonl",
};

static char path[64];

static void remove_files(int dir_fd)
{
	char name[LOG_FILE_NAME_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(dir_fd, names[i], 0);
	for (uint64_t first = 0; first < 64; first++) {
		log_file_name(first, name);
		unlinkat(dir_fd, name, 0);
	}
}

static void remove_directory(void)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	remove_files(fd);
	close(fd);
	rmdir(path);
}

/* A directory below @parent, if direct I/O works there; -1 otherwise. */
static int make_directory(const char *parent)
{
	int dir_fd;
	int fd;

	snprintf(path, sizeof(path), "%s/fuzz-ledger-XXXXXX", parent);
	if (!mkdtemp(path))
		return -1;
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(dir_fd >= 0);
	fd = openat(dir_fd, names[0], O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		close(fd);
		return dir_fd;
	}
	close(dir_fd);
	remove_directory();
	return -1;
}

static int open_directory(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	fd = make_directory("/dev/shm"); /* hundred times as fast */
	if (fd < 0)
		fd = make_directory("/tmp");
	ASSERT(fd >= 0);
	atexit(remove_directory);
	return fd;
}

static void store(int dir_fd, const char *name, const uint8_t *data, size_t size)
{
	int fd = openat(dir_fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static int one_state(void *context, json_t **ret_states, struct error *err)
{
	(void)context;
	(void)err;
	*ret_states = json_pack("[{}]");
	return 0;
}

static int leave_alone(void *context, int fd, const char *name, struct error *err)
{
	(void)context;
	(void)fd;
	(void)name;
	(void)err;
	return 0;
}

static const struct log_operations operations = {
	.state = one_state,
	.file_created = leave_alone,
	.file_full = leave_alone,
};

static void count_defect(void *context, const char *file, uint64_t offset, const char *sentence)
{
	ASSERT(strlen(file) > 0 && strlen(sentence) > 0);
	(void)offset;
	++*(uint64_t *)context;
}

static uint64_t verify(int dir_fd)
{
	const struct checkpoint_keys none = {.count = 0};
	uint64_t count = 0;
	const struct ledger_verify_options options = {
		.origin = "binvault/fuzz",
		.volume = VOLUME,
		.keys = &none,
		.on_defect = count_defect,
		.context = &count,
	};
	struct ledger_summary summary;
	struct error err;

	ASSERT(ledger_verify(dir_fd, &options, &summary, &err) == 0);
	ASSERT(summary.defect_count == count);
	return count;
}

/* All leaves without a defect? Then *ret_reader stands at the end. */
static int read_clean(int dir_fd, bool from_state, struct log_reader **ret_reader)
{
	const struct log_reader_options options = {.from_state = from_state, .volume = VOLUME};
	const struct leaf *leaf;
	struct error err;
	int r = log_reader_new(dir_fd, &options, ret_reader, &err);

	if (r < 0)
		return r;
	while ((r = log_reader_next(*ret_reader, &leaf, &err)) > 0)
		;
	return r;
}

/* From the middle of a ledger without a defect the rest comes, also as if it grew. */
static void read_rest(int dir_fd, const struct log_reader *all)
{
	const uint64_t next = log_reader_end(all)->next_index;
	const struct log_reader_options options = {
		.first_index = next / 2,
		.growing = true,
		.volume = VOLUME,
	};
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	const struct leaf *leaf;
	struct error err;
	uint64_t index = next / 2;

	ASSERT(log_reader_new(dir_fd, &options, &reader, &err) == 0);
	while (log_reader_next(reader, &leaf, &err) > 0)
		ASSERT(leaf->index == index++);
	ASSERT(index == next && log_reader_end(reader)->reached);
}

static void go_on(int dir_fd, const struct log_reader *reader)
{
	CLEANUP(log_freep)
	struct log *log = NULL;
	CLEANUP(log_reader_freep)
	struct log_reader *again = NULL;
	const struct leaf_stamp stamp = {
		.time_usec = 1,
		.boot_id = "6f1c1fd2-6f5e-4b0e-9f8e-00000000b007",
	};
	const struct log_options options = {
		.leaves_per_file = 4,
		.volume = VOLUME,
		.operations = &operations,
	};
	json_t *fields = json_pack("{s:s}", "type", "test");
	struct error err;

	ASSERT(log_open(dir_fd, &options, reader, &stamp, &log, &err) == 0);
	for (int i = 0; i < 3; i++)
		ASSERT(log_append(log, fields, &stamp, NULL, &err) == 0);
	json_decref(fields);
	ASSERT(read_clean(dir_fd, false, &again) == 0);
	ASSERT(log_reader_torn(again)->size == 0);
	ASSERT(tree_equal(log_reader_tree(again), log_tree(log)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(log_reader_freep)
	struct log_reader *all = NULL;
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	int dir_fd = open_directory();
	size_t part = 0;

	remove_files(dir_fd);
	while (size > 0 && part < 3) {
		const uint8_t *stop = memchr(data, 1, size);
		size_t length = stop ? (size_t)(stop - data) : size;

		if (length > 0)
			store(dir_fd, names[part], data, length);
		part++;
		data += length + (stop ? 1 : 0);
		size -= length + (stop ? 1 : 0);
	}
	verify(dir_fd);
	if (read_clean(dir_fd, true, &reader) == 0 && read_clean(dir_fd, false, &all) == 0) {
		read_rest(dir_fd, all);
		go_on(dir_fd, reader);
	}
	return 0;
}
