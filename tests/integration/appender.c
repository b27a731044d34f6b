/*
 * Writes until an error ends it, and keeps the count of what it has been told is durable.
 *
 *     appender ring|append|create DIRECTORY COUNTER
 *
 * ring    blocks to DIRECTORY/ring, by ring_append(); one completion is one more
 * append  blocks to DIRECTORY/append, by file_append_durable()
 * create  files DIRECTORY/create.N, each followed by file_sync() of the directory
 *
 * COUNTER is a file of 8 bytes, mapped, on another file system: what stands in it (little endian)
 * was true when somebody could have been told.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/file.h"
#include "io/ring.h"

static _Alignas(BLOCK_SIZE_MIN) uint8_t block[BLOCK_SIZE_MIN];

static int append_by_ring(int directory, _Atomic uint64_t *counter, struct error *err)
{
	int fd = file_create(directory, "ring", 0600, err);
	struct ring *ring = NULL;
	struct ring_event event;
	int r;

	if (fd < 0 || file_sync(directory, err) < 0 || ring_new(&ring, err) < 0)
		return err->code;
	for (;;) {
		ring_append(ring, fd, block, sizeof(block), 0);
		do
			r = ring_wait(ring, &event, 1, err);
		while (r == 0);
		if (r < 0)
			return r;
		if (event.result != sizeof(block))
			return error_set_errno(err, ERROR_IO, -event.result, "appending");
		atomic_fetch_add(counter, 1);
	}
}

static int append(int directory, _Atomic uint64_t *counter, struct error *err)
{
	int fd = file_create(directory, "append", 0600, err);

	if (fd < 0 || file_sync(directory, err) < 0)
		return err->code;
	while (file_append_durable(fd, block, sizeof(block), err) == 0)
		atomic_fetch_add(counter, 1);
	return err->code;
}

static int create(int directory, _Atomic uint64_t *counter, struct error *err)
{
	char name[32];

	for (uint64_t number = 0;; number++) {
		CLEANUP(close_fdp)
		int fd = -1;

		snprintf(name, sizeof(name), "create.%ju", (uintmax_t)number);
		fd = file_create(directory, name, 0600, err);
		if (fd < 0 || file_sync(directory, err) < 0)
			return err->code;
		atomic_fetch_add(counter, 1);
	}
}

static const struct {
	const char *name;
	int (*run)(int directory, _Atomic uint64_t *counter, struct error *err);
} ways[] = {{"ring", append_by_ring}, {"append", append}, {"create", create}};

int main(int argc, char **argv)
{
	int directory, file;
	_Atomic uint64_t *counter;
	struct error err = {0};

	if (argc != 4)
		return 2;
	directory = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = open(argv[3], O_RDWR | O_CLOEXEC);
	counter = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (directory < 0 || file < 0 || counter == MAP_FAILED) {
		perror("appender");
		return 2;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].name, argv[1]) == 0) {
			ways[i].run(directory, counter, &err);
			fprintf(stderr, "appender: %s\n", err.message);
			return 1;
		}
	}
	return 2;
}
