#include "restore/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/units.h"
#include "io/clock.h"
#include "io/file.h"
#include "protocol/export_messages.h"
#include "protocol/manifest.h"
#include "restore/segment_export.h"

#define KEY_FILE_SIZE_MAX 8192 /* PEM */

#define PROGRESS_EVERY_USEC (250 * USEC_PER_MSEC)

struct exporter {
	int fd;		  /* borrowed */
	int directory_fd; /* -1: verify */
	struct export_begin begin;
	struct segment_export export;
	uint64_t byte_count; /* of segments that were read to their end */
	uint64_t progress_usec;
	/* Of a tar: the manifest's body goes into it with its signature. */
	char *body;
	size_t body_size;
	struct message message;
};

static void exporter_free(struct exporter *exporter)
{
	if (!exporter)
		return;
	message_release(&exporter->message);
	output_free(exporter->export.output);
	manifest_free(exporter->export.manifest);
	tar_free(exporter->export.tar);
	free(exporter->body);
	close_fdp(&exporter->directory_fd);
	free(exporter);
}
DEFINE_CLEANUP(exporter_free, struct exporter *);

/* The next message; it stays valid until the one after. */
static int receive(struct exporter *exporter, struct error *err)
{
	int r;

	message_release(&exporter->message);
	r = message_receive(exporter->fd, &exporter->message, err);
	if (r == 0)
		return error_set(err, ERROR_CLOSED, "the keeper has closed the connection");
	return r < 0 ? r : 0;
}

/* Whoever accepted it may have made it non-blocking; here nothing else is to be done meanwhile. */
static int make_blocking(int fd, struct error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "the connection");
	return 0;
}

static int receive_hello(struct exporter *exporter, const struct hello *ours, struct error *err)
{
	struct hello theirs;
	int r = hello_send(exporter->fd, ours, err);

	if (r == 0)
		r = receive(exporter, err);
	if (r == 0)
		r = message_expect(&exporter->message, MESSAGE_HELLO, err);
	return r < 0 ? r : hello_decode(&exporter->message, &theirs, err);
}

static int send_progress(void *context, uint64_t size, struct error *err)
{
	struct exporter *exporter = context;
	const struct manifest *manifest = exporter->export.manifest;
	uint64_t now = clock_monotonic_usec();
	struct export_progress progress = {
		.byte_count = exporter->byte_count + size,
		.file_count = manifest ? manifest_file_count(manifest) : 0,
	};

	if (now - exporter->progress_usec < PROGRESS_EVERY_USEC)
		return 0;
	exporter->progress_usec = now;
	return export_progress_send(exporter->fd, &progress, err);
}

static int check_directory(int fd, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISDIR(status.st_mode))
		return error_set(err, ERROR_DEFECT, "what the keeper sent is no directory");
	return 0;
}

static int receive_begin(struct exporter *exporter, struct error *err)
{
	struct segment_export *export = &exporter->export;
	struct export_begin *begin = &exporter->begin;
	int r = receive(exporter, err);

	if (r == 0)
		r = message_expect(&exporter->message, MESSAGE_EXPORT_BEGIN, err);
	if (r == 0)
		r = export_begin_decode(&exporter->message, begin, err);
	if (r < 0)
		return r;
	export->limit = (struct chain_limit){CHAIN_NO_LIMIT, CHAIN_NO_LIMIT};
	if (begin->limit == EXPORT_LIMIT_TIME)
		export->limit.usec = begin->limit_usec;
	if (begin->limit == EXPORT_LIMIT_POSITION)
		export->limit.position = begin->limit_position;
	export->progress = send_progress;
	export->context = exporter;
	exporter->progress_usec = clock_monotonic_usec();
	if (begin->kind == EXPORT_VERIFY)
		return 0;
	exporter->directory_fd = message_take_fd(&exporter->message, 0);
	export->output = output_new(exporter->directory_fd);
	export->manifest = manifest_new();
	r = check_directory(exporter->directory_fd, err);
	if (r == 0 && begin->form == EXPORT_TAR)
		r = tar_new(exporter->directory_fd, begin->to, &export->tar, err);
	return r;
}

/* Read the one that the keeper sent; a defect is an error of a restore, an answer of a
 * verification. */
static int on_segment(struct exporter *exporter, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct export_segment_done done = {0};
	struct export_segment wanted;
	struct error reason = {0};
	int r = export_segment_decode(&exporter->message, &wanted, err);

	if (r < 0)
		return r;
	fd = message_take_fd(&exporter->message, 0);
	r = exporter->export.finished
		    ? error_set(&reason, ERROR_DEFECT, "the keeper sent more than was wanted")
		    : segment_export(&exporter->export, &wanted, fd, &done, &reason);
	secret_wipe(wanted.key, sizeof(wanted.key));
	exporter->byte_count += wanted.file_size;
	if (r < 0 && (exporter->begin.kind == EXPORT_RESTORE || r == ERROR_CLOSED)) {
		*err = reason;
		return r;
	}
	if (r < 0) {
		done = (struct export_segment_done){.code = r};
		memcpy(done.sentence, reason.message, sizeof(done.sentence) - 1);
	}
	return export_segment_done_send(exporter->fd, &done, err);
}

static int expect_segment_or_finish(struct exporter *exporter, bool *ret_finish, struct error *err)
{
	int r = receive(exporter, err);

	if (r < 0)
		return r;
	*ret_finish = exporter->message.type == MESSAGE_EXPORT_FINISH;
	return *ret_finish ? message_expect_empty(&exporter->message, MESSAGE_EXPORT_FINISH, err)
			   : message_expect(&exporter->message, MESSAGE_EXPORT_SEGMENT, err);
}

static int read_segments(struct exporter *exporter, struct error *err)
{
	bool finish = false;

	for (;;) {
		int r = expect_segment_or_finish(exporter, &finish, err);

		if (r == 0 && finish)
			break;
		if (r == 0)
			r = on_segment(exporter, err);
		if (r < 0)
			return r;
	}
	if (exporter->export.output && output_is_open(exporter->export.output))
		return error_set(err, ERROR_DEFECT, "the keeper ended inside a binlog file");
	return 0;
}

/* As files, or into the tar, where the body waits for the signature. */
static int write_texts(struct exporter *exporter, const char *sums, const char *body, size_t size,
		       struct error *err)
{
	struct tar *tar = exporter->export.tar;
	int r;

	if (tar) {
		exporter->body = malloc(size);
		ASSERT(exporter->body);
		memcpy(exporter->body, body, size);
		exporter->body_size = size;
		return tar_add(tar, MANIFEST_SUMS_FILE, sums, strlen(sums), err);
	}
	r = output_small(exporter->directory_fd, MANIFEST_SUMS_FILE, sums, strlen(sums), err);
	if (r == 0)
		r = output_small(exporter->directory_fd, MANIFEST_BODY_FILE, body, size, err);
	return r < 0 ? r : file_sync(exporter->directory_fd, err);
}

/* SHA256SUMS and MANIFEST.json; *ret_body_fd carries the latter to the keeper. */
static int write_lists(struct exporter *exporter, struct export_result *result, int *ret_body_fd,
		       struct error *err)
{
	const struct manifest *manifest = exporter->export.manifest;
	CLEANUP(freep)
	char *sums = manifest_sums(manifest);
	CLEANUP(freep)
	char *body = NULL;
	size_t size = 0;
	int r = manifest_body(manifest, &exporter->begin, result, clock_realtime_usec(), &body,
			      &size, err);

	if (r == 0)
		r = write_texts(exporter, sums, body, size, err);
	if (r < 0)
		return r;
	hash_bytes(body, size, &result->body_hash);
	*ret_body_fd = channel_body_new(body, size, err);
	return *ret_body_fd < 0 ? err->code : 0;
}

static int send_result(struct exporter *exporter, struct error *err)
{
	const struct segment_export *export = &exporter->export;
	struct export_result result = {.byte_count = export->binlog_size};
	CLEANUP(close_fdp)
	int body_fd = -1;
	int r = 0;

	if (export->manifest) {
		result.file_count = manifest_file_count(export->manifest);
		result.byte_count = manifest_byte_count(export->manifest);
		result.until_position = export->until_position;
		result.until_usec = export->until_usec;
		memcpy(result.until_file, export->until_file, sizeof(result.until_file));
		r = write_lists(exporter, &result, &body_fd, err);
	}
	return r < 0 ? r : export_result_send(exporter->fd, &result, body_fd, err);
}

/* The signature comes last, in one block, and the body in front of it: whoever has the file finds
 * both from its end. */
static int end_tar(struct exporter *exporter, const struct export_manifest *manifest,
		   struct error *err)
{
	struct tar *tar = exporter->export.tar;
	int r = tar_take_small(tar, MANIFEST_KEY_FILE, KEY_FILE_SIZE_MAX, err);

	if (r == 0)
		r = tar_add(tar, MANIFEST_BODY_FILE, exporter->body, exporter->body_size, err);
	if (r == 0)
		r = tar_add(tar, MANIFEST_SIGNATURE_FILE, manifest->signature,
			    manifest->signature_size, err);
	return r < 0 ? r : tar_finish(tar, err);
}

static int receive_manifest(struct exporter *exporter, struct error *err)
{
	struct export_manifest manifest;
	int r = receive(exporter, err);

	if (r == 0)
		r = message_expect(&exporter->message, MESSAGE_EXPORT_MANIFEST, err);
	if (r == 0)
		r = export_manifest_decode(&exporter->message, &manifest, err);
	if (r == 0 && exporter->export.tar)
		r = end_tar(exporter, &manifest, err);
	else if (r == 0)
		r = output_small(exporter->directory_fd, MANIFEST_SIGNATURE_FILE,
				 manifest.signature, manifest.signature_size, err);
	if (r == 0)
		r = file_sync(exporter->directory_fd, err);
	return r < 0 ? r : export_committed_send(exporter->fd, err);
}

int exporter_run(int fd, const struct hello *hello, struct error *err)
{
	CLEANUP(exporter_freep)
	struct exporter *exporter = calloc(1, sizeof(*exporter));
	struct error ignored;
	int r;

	ASSERT(exporter);
	exporter->fd = fd;
	exporter->directory_fd = -1;
	r = make_blocking(fd, err);
	if (r == 0)
		r = receive_hello(exporter, hello, err);
	if (r == 0)
		r = receive_begin(exporter, err);
	if (r == 0)
		r = read_segments(exporter, err);
	if (r == 0)
		r = send_result(exporter, err);
	if (r == 0 && exporter->begin.kind == EXPORT_RESTORE)
		r = receive_manifest(exporter, err);
	if (r < 0 && r != ERROR_CLOSED && message_send_failure(fd, err, &ignored) < 0)
		return r; /* the keeper is gone as well */
	return r;
}
