#include "restore/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "io/file.h"

#define BUFFER_SIZE ((size_t)1 << 20)
#define FILE_MODE   0640

/* The kernel is told to begin writing after so many bytes, so that the fsync at the end of a large
 * file finds little to do. */
#define WRITEBACK_SIZE ((uint64_t)8 << 20)

struct output {
	int directory_fd;
	int fd; /* -1: no file */
	uint64_t size;
	struct hasher *hasher;
	uint8_t *buffer;
	size_t buffered;
	uint64_t emitted, writeback; /* file offsets: written, and on their way to the device */
	struct output_file file;
};

struct output *output_new(int directory_fd)
{
	struct output *output = calloc(1, sizeof(*output));

	ASSERT(output);
	output->directory_fd = directory_fd;
	output->fd = -1;
	output->hasher = hasher_new();
	output->buffer = file_buffer_new(BUFFER_SIZE);
	return output;
}

void output_free(struct output *output)
{
	if (!output)
		return;
	close_fdp(&output->fd);
	hasher_free(output->hasher);
	free(output->buffer);
	free(output);
}

bool output_is_open(const struct output *output)
{
	return output->fd >= 0;
}

uint64_t output_size(const struct output *output)
{
	return output->size;
}

static int create(int directory_fd, const char *name, struct error *err)
{
	int fd = openat(directory_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			FILE_MODE);

	if (fd >= 0)
		return fd;
	return error_set_errno(err, errno == EEXIST ? ERROR_EXISTS : ERROR_IO, errno,
			       "creating '%s' in the export's directory", name);
}

static int write_all(int fd, const char *name, const uint8_t *bytes, size_t size, struct error *err)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
			return error_set(err, ERROR_NO_SPACE,
					 "the export's file system is full at '%s': free space, "
					 "then restore again",
					 name);
		if (n < 0)
			return error_set_errno(err, ERROR_IO, errno, "writing '%s'", name);
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

int output_begin(struct output *output, const char *name, struct error *err)
{
	int fd;

	ASSERT(output->fd < 0 && strlen(name) < sizeof(output->file.name));
	fd = create(output->directory_fd, name, err);
	if (fd < 0)
		return fd;
	output->fd = fd;
	output->size = 0;
	output->buffered = 0;
	output->emitted = 0;
	output->writeback = 0;
	memset(&output->file, 0, sizeof(output->file));
	memcpy(output->file.name, name, strlen(name));
	hasher_start(output->hasher);
	return 0;
}

static int emit(struct output *output, const uint8_t *bytes, size_t size, struct error *err)
{
	int r;

	hasher_update(output->hasher, bytes, size);
	r = write_all(output->fd, output->file.name, bytes, size, err);
	if (r < 0)
		return r;
	output->emitted += size;
	if (output->emitted - output->writeback < WRITEBACK_SIZE)
		return 0;
	/* A hint: whether the bytes are durable is told by the fsync. Some file systems refuse. */
	if (sync_file_range(output->fd, (off_t)output->writeback,
			    (off_t)(output->emitted - output->writeback),
			    SYNC_FILE_RANGE_WRITE) == 0)
		output->writeback = output->emitted;
	return 0;
}

static int flush(struct output *output, struct error *err)
{
	size_t size = output->buffered;

	output->buffered = 0;
	return emit(output, output->buffer, size, err);
}

int output_write(struct output *output, const void *bytes, size_t size, struct error *err)
{
	ASSERT(output->fd >= 0);
	if (size > BUFFER_SIZE - output->buffered && flush(output, err) < 0)
		return err->code;
	output->size += size;
	if (size > BUFFER_SIZE / 2 && output->buffered == 0)
		return emit(output, bytes, size, err);
	ASSERT(size <= BUFFER_SIZE - output->buffered);
	memcpy(output->buffer + output->buffered, bytes, size);
	output->buffered += size;
	return 0;
}

/* Flushed and hashed: make it durable and let go of it. */
static int complete(struct output *output, struct output_file *ret_file, struct error *err)
{
	int r = file_sync(output->fd, err);

	close(output->fd);
	output->fd = -1;
	if (r < 0)
		return error_prefix(err, "'%s'", output->file.name);
	output->file.size = output->size;
	hasher_finish(output->hasher, &output->file.hash);
	*ret_file = output->file;
	return 0;
}

int output_finish(struct output *output, struct output_file *ret_file, struct error *err)
{
	int r = flush(output, err);

	return r < 0 ? r : complete(output, ret_file, err);
}

/* The hash has gone too far: it is made anew from what stays. */
static int hash_again(struct output *output, struct error *err)
{
	hasher_start(output->hasher);
	for (uint64_t offset = 0; offset < output->size;) {
		size_t size = (size_t)MIN((uint64_t)BUFFER_SIZE, output->size - offset);
		int r = file_read_exact(output->fd, output->buffer, size, offset, err);

		if (r < 0)
			return error_prefix(err, "'%s'", output->file.name);
		hasher_update(output->hasher, output->buffer, size);
		offset += size;
	}
	return 0;
}

int output_cut(struct output *output, uint64_t size, struct output_file *ret_file,
	       struct error *err)
{
	int r = flush(output, err);

	ASSERT(size <= output->size);
	if (r < 0)
		return r;
	if (size == output->size)
		return complete(output, ret_file, err);
	if (ftruncate(output->fd, (off_t)size) < 0)
		return error_set_errno(err, ERROR_IO, errno, "cutting '%s' at %" PRIu64,
				       output->file.name, size);
	output->size = size;
	r = hash_again(output, err);
	return r < 0 ? r : complete(output, ret_file, err);
}

int output_drop(struct output *output, struct error *err)
{
	close_fdp(&output->fd);
	output->fd = -1;
	if (unlinkat(output->directory_fd, output->file.name, 0) < 0)
		return error_set_errno(err, ERROR_IO, errno, "removing '%s'", output->file.name);
	return 0;
}

int output_small(int directory_fd, const char *name, const void *bytes, size_t size,
		 struct error *err)
{
	CLEANUP(close_fdp)
	int fd = create(directory_fd, name, err);
	int r;

	if (fd < 0)
		return fd;
	r = write_all(fd, name, bytes, size, err);
	if (r == 0)
		r = file_sync(fd, err);
	return r;
}
