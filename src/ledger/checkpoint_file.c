#include "ledger/checkpoint_file.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "io/file.h"
#include "ledger/append.h"

#define CHUNK_SIZE ((size_t)16 * CHECKPOINT_SLOT_SIZE)

enum slot_kind { SLOT_END, SLOT_FILLER, SLOT_NOTE, SLOT_TORN };

struct checkpoint_reader {
	int fd;
	char *buffer; /* CHUNK_SIZE */
	size_t begin; /* unread bytes are [begin, end) */
	size_t end;
	uint64_t offset; /* of buffer[begin] in the file */
	bool peeked;	 /* the slot at begin has been judged: kind, slot, reason */
	enum slot_kind kind;
	size_t slot_size;
	size_t note_length;
	struct checkpoint checkpoint;
	struct error reason;
	struct hasher *hasher;
};

int checkpoint_reader_new(int dir_fd, struct checkpoint_reader **ret_reader, struct error *err)
{
	CLEANUP(checkpoint_reader_freep)
	struct checkpoint_reader *reader = calloc(1, sizeof(*reader));

	ASSERT(reader);
	reader->fd = file_open_read(dir_fd, CHECKPOINT_FILE_NAME, err);
	if (reader->fd < 0)
		return error_prefix(err, "ledger");
	reader->buffer = file_buffer_new(CHUNK_SIZE);
	reader->hasher = hasher_new();
	*ret_reader = TAKE(reader);
	return 0;
}

void checkpoint_reader_seek(struct checkpoint_reader *reader, uint64_t offset)
{
	ASSERT(reader->end == 0 && !reader->peeked && offset % CHECKPOINT_SLOT_SIZE == 0);
	reader->offset = offset;
}

void checkpoint_reader_free(struct checkpoint_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader->buffer);
	hasher_free(reader->hasher);
	free(reader);
}

static void judge(struct checkpoint_reader *reader)
{
	const char *slot = reader->buffer + reader->begin;
	size_t length = reader->slot_size;

	while (length > 0 && slot[length - 1] == '\n')
		length--;
	if (length == 0) {
		reader->kind = SLOT_FILLER;
		return;
	}
	/* the note's own LF; a slot that the file cuts off may be a note that is cut */
	reader->note_length = length + 1;
	if (length == reader->slot_size || reader->slot_size < CHECKPOINT_SLOT_SIZE) {
		error_set(&reader->reason, ERROR_DEFECT, "a note that ends too early");
		reader->kind = SLOT_TORN;
		return;
	}
	reader->kind = checkpoint_decode(slot, reader->note_length, &reader->checkpoint,
					 &reader->reason) < 0
			       ? SLOT_TORN
			       : SLOT_NOTE;
}

/* What stands in the next slot; it stays there until drop(). */
static int peek(struct checkpoint_reader *reader, struct error *err)
{
	ssize_t n;

	if (reader->peeked)
		return 0;
	if (reader->begin == reader->end) {
		n = file_read(reader->fd, reader->buffer, CHUNK_SIZE, reader->offset, err);
		if (n < 0)
			return error_prefix(err, "ledger/" CHECKPOINT_FILE_NAME);
		reader->begin = 0;
		reader->end = (size_t)n;
	}
	reader->slot_size = MIN(reader->end - reader->begin, (size_t)CHECKPOINT_SLOT_SIZE);
	if (reader->slot_size == 0)
		reader->kind = SLOT_END;
	else
		judge(reader);
	reader->peeked = true;
	return 0;
}

static void drop(struct checkpoint_reader *reader)
{
	reader->begin += reader->slot_size;
	reader->offset += reader->slot_size;
	reader->peeked = false;
}

/* From a torn slot to the last torn one before the next note; filler in between belongs to it. */
static int take_torn(struct checkpoint_reader *reader, struct checkpoint_item *item,
		     struct error *err)
{
	uint64_t filler_size = 0;
	int r;

	item->kind = CHECKPOINT_TORN;
	item->offset = reader->offset;
	snprintf(item->sentence, sizeof(item->sentence), "%.*s", (int)sizeof(item->sentence) - 1,
		 reader->reason.message);
	hasher_start(reader->hasher);
	for (;;) {
		if (reader->kind == SLOT_TORN) {
			for (; filler_size > 0; filler_size--)
				hasher_update(reader->hasher, "\n", 1);
			hasher_update(reader->hasher, reader->buffer + reader->begin,
				      reader->slot_size);
			item->torn_size = reader->offset + reader->slot_size - item->offset;
		} else if (reader->kind == SLOT_FILLER) {
			filler_size += reader->slot_size;
		} else {
			break;
		}
		drop(reader);
		r = peek(reader, err);
		if (r < 0)
			return r;
	}
	hasher_finish(reader->hasher, &item->torn_hash);
	return 0;
}

int checkpoint_reader_next(struct checkpoint_reader *reader, struct checkpoint_item *ret_item,
			   struct error *err)
{
	struct checkpoint_item *item = ret_item;
	int r;

	memset(item, 0, sizeof(*item));
	for (;;) {
		r = peek(reader, err);
		if (r < 0)
			return r;
		if (reader->kind == SLOT_TORN)
			return take_torn(reader, item, err);
		if (reader->kind != SLOT_FILLER)
			break;
		drop(reader);
	}
	item->offset = reader->offset;
	if (reader->kind == SLOT_END)
		return 0;
	item->kind = CHECKPOINT_NOTE;
	item->checkpoint = reader->checkpoint;
	memcpy(item->note, reader->buffer + reader->begin, reader->note_length);
	drop(reader);
	return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

struct checkpoint_file {
	struct append *append;
	bool torn;
	bool failed;
	struct leaf_void void_fields;
};

static int no_protection(void *context, int fd, const char *name, struct error *err)
{
	(void)context;
	(void)fd;
	(void)name;
	(void)err;
	return 0;
}

/* What stands at the end: the last note, and what is torn behind it. */
static int read_end(int dir_fd, struct checkpoint_file *file, struct checkpoint *last,
		    struct error *err)
{
	CLEANUP(checkpoint_reader_freep)
	struct checkpoint_reader *reader = NULL;
	CLEANUP(freep)
	struct checkpoint_item *item = malloc(sizeof(*item));
	int r;

	ASSERT(item);
	r = checkpoint_reader_new(dir_fd, &reader, err);
	if (r < 0)
		return r;
	for (;;) {
		r = checkpoint_reader_next(reader, item, err);
		if (r < 0 || item->kind == CHECKPOINT_END)
			return r;
		file->torn = item->kind == CHECKPOINT_TORN;
		if (file->torn) {
			file->void_fields.offset = item->offset;
			file->void_fields.size = item->torn_size;
			file->void_fields.hash = item->torn_hash;
		} else {
			*last = item->checkpoint;
		}
	}
}

int checkpoint_file_open(int dir_fd, const struct checkpoint_file_options *options,
			 struct checkpoint *ret_last, struct checkpoint_file **ret_file,
			 struct error *err)
{
	CLEANUP(checkpoint_file_freep)
	struct checkpoint_file *file = calloc(1, sizeof(*file));
	append_protect *protect = options->created ? options->created : no_protection;
	struct checkpoint last;
	int r;

	ASSERT(file && strlen(options->volume) < sizeof(file->void_fields.volume));
	memset(&last, 0, sizeof(last));
	memcpy(file->void_fields.file, CHECKPOINT_FILE_NAME, sizeof(CHECKPOINT_FILE_NAME));
	memcpy(file->void_fields.volume, options->volume, strlen(options->volume) + 1);
	/* NUL: behind a signature that was cut, LF would make a note that does not verify */
	r = append_open(dir_fd, CHECKPOINT_FILE_NAME, '\0', protect, options->context,
			&file->append, err);
	if (r == ERROR_NOT_FOUND)
		r = append_create(dir_fd, CHECKPOINT_FILE_NAME, protect, options->context,
				  &file->append, err);
	/* only now: the end has been filled up to a whole slot */
	if (r == 0)
		r = read_end(dir_fd, file, &last, err);
	if (r < 0)
		return r;
	*ret_last = last;
	*ret_file = TAKE(file);
	return 0;
}

void checkpoint_file_free(struct checkpoint_file *file)
{
	if (!file)
		return;
	append_free(file->append);
	free(file);
}

bool checkpoint_file_torn(const struct checkpoint_file *file, struct leaf_void *ret_void)
{
	if (file->torn)
		*ret_void = file->void_fields;
	return file->torn;
}

void checkpoint_file_voided(struct checkpoint_file *file)
{
	file->torn = false;
}

int checkpoint_file_append(struct checkpoint_file *file, const char *note, size_t length,
			   struct error *err)
{
	struct checkpoint decoded;
	int r;

	ASSERT(!file->torn);
	if (file->failed)
		return error_set(err, ERROR_FAILED,
				 "the file of checkpoints stopped at an error; it must be opened "
				 "anew");
	r = checkpoint_decode(note, length, &decoded, err);
	if (r < 0)
		return r;
	r = append_write(file->append, note, length, false, err);
	file->failed = r < 0 && r != ERROR_NO_SPACE;
	return r;
}
