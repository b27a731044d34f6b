#include "forward/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "io/file.h"
#include "ledger/checkpoint_file.h"

#define FORMAT 0

static int get_place(const json_t *object, struct place *place, struct error *err)
{
	int r = json_get_text(object, "origin", place->origin, sizeof(place->origin), err);

	if (r == 0)
		r = json_get_u64(object, "next", &place->next_index, err);
	if (r == 0)
		r = json_get_hex(object, "leaf", place->leaf.bytes, HASH_SIZE, err);
	if (r == 0)
		r = json_get_u64(object, "leaf_time", &place->leaf_usec, err);
	if (r == 0)
		r = json_get_u64(object, "checkpoint_offset", &place->checkpoint_offset, err);
	if (r == 0 && place->next_index > 0 && place->origin[0] == '\0')
		r = error_set(err, ERROR_DEFECT, "leaves of no archive");
	if (r == 0 && place->checkpoint_offset % CHECKPOINT_SLOT_SIZE != 0)
		r = error_set(err, ERROR_DEFECT, "no slot begins where checkpoints go on");
	return r;
}

static int get_progress(const json_t *object, struct progress *progress, struct error *err)
{
	uint64_t format;
	int r = json_get_u64(object, "format", &format, err);

	if (r == 0 && format != FORMAT)
		r = error_set(err, ERROR_DEFECT, "its format is of a later version of Binvault");
	if (r == 0)
		r = get_place(object, &progress->place, err);
	if (r == 0)
		r = json_get_u64(object, "leaves", &progress->leaf_count, err);
	if (r == 0)
		r = json_get_u64(object, "until", &progress->until_usec, err);
	if (r == 0)
		r = json_get_u64(object, "written", &progress->written_usec, err);
	if (r == 0)
		r = json_get_bool(object, "connected", &progress->connected, err);
	if (r == 0)
		r = json_get_bool(object, "rewound", &progress->rewound, err);
	if (r == 0)
		r = json_get_text(object, "sentence", progress->sentence,
				  sizeof(progress->sentence), err);
	return r;
}

int progress_decode(const char *text, size_t length, struct progress *ret_progress,
		    struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct progress progress;
	int r;

	memset(&progress, 0, sizeof(progress));
	if (length == 0 || text[length - 1] != '\n')
		r = error_set(err, ERROR_DEFECT, "it does not end with a line's end");
	else
		r = json_parse_canonical(text, length - 1, &object, err);
	if (r == 0)
		r = get_progress(object, &progress, err);
	if (r < 0)
		return error_prefix(err, "'" PROGRESS_FILE "' is damaged");
	*ret_progress = progress;
	return 0;
}

/* A sentence may hold a peer's words; canonical text is printable ASCII. */
static void put_sentence(json_t *object, const char *sentence)
{
	char text[ERROR_MESSAGE_SIZE];
	size_t length = strnlen(sentence, sizeof(text) - 1);

	for (size_t i = 0; i < length; i++)
		text[i] = sentence[i] >= 0x20 && sentence[i] < 0x7f ? sentence[i] : '?';
	text[length] = '\0';
	json_put_string(object, "sentence", text);
}

size_t progress_encode(const struct progress *progress, char text[static PROGRESS_TEXT_MAX])
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	struct error err;
	int length;

	json_put_u64(object, "format", FORMAT);
	json_put_string(object, "origin", progress->place.origin);
	json_put_u64(object, "next", progress->place.next_index);
	json_put_hex(object, "leaf", progress->place.leaf.bytes, HASH_SIZE);
	json_put_u64(object, "leaf_time", progress->place.leaf_usec);
	json_put_u64(object, "checkpoint_offset", progress->place.checkpoint_offset);
	json_put_u64(object, "leaves", progress->leaf_count);
	json_put_u64(object, "until", progress->until_usec);
	json_put_u64(object, "written", progress->written_usec);
	json_put_bool(object, "connected", progress->connected);
	json_put_bool(object, "rewound", progress->rewound);
	put_sentence(object, progress->sentence);
	length = json_text_canonical(object, text, PROGRESS_TEXT_MAX - 1, &err);
	ASSERT(length > 0);
	text[length] = '\n';
	return (size_t)length + 1;
}

int progress_read(int dir_fd, struct progress *ret_progress, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = file_open_read(dir_fd, PROGRESS_FILE, err);
	char text[PROGRESS_TEXT_MAX];
	ssize_t size;

	if (fd < 0)
		return fd;
	size = file_read(fd, text, sizeof(text), 0, err);
	if (size < 0)
		return error_prefix(err, "'" PROGRESS_FILE "'");
	return progress_decode(text, (size_t)size, ret_progress, err);
}

int progress_write(int dir_fd, const struct progress *progress, struct error *err)
{
	char text[PROGRESS_TEXT_MAX];
	size_t length = progress_encode(progress, text);

	/* `status` may be anybody's */
	return file_replace(dir_fd, PROGRESS_FILE, text, length, 0644, err);
}
