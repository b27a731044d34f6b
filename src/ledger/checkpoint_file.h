/*
 * The file `checkpoints` of a ledger directory: notes in slots of 4096 bytes, appended.
 * FORMAT.md, "Checkpoints file".
 *
 * Owns: reader and writer own descriptor and buffer; the directory descriptor is borrowed.
 * Threads: one per object.
 * Durable: checkpoint_file_append() returns 0 only when the note is on stable storage.
 * Crash: at most the last append is torn. checkpoint_file_open() says what is torn, and the caller
 * appends the `void` leaf that names it to the ledger before the next note.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ledger/checkpoint.h"
#include "ledger/leaf.h"
#include "ledger/log.h"

#define CHECKPOINT_FILE_NAME "checkpoints"
#define CHECKPOINT_SLOT_SIZE 4096u

/* What a checkpoint reader meets, in the order of the file. */
enum checkpoint_item_kind {
	CHECKPOINT_END,	 /* nothing more */
	CHECKPOINT_NOTE, /* checkpoint, offset, note */
	CHECKPOINT_TORN, /* torn: allowed only if a void leaf of the ledger names exactly this */
};

struct checkpoint_item {
	enum checkpoint_item_kind kind;
	struct checkpoint checkpoint;
	uint64_t offset;		     /* of the note or the torn bytes */
	char note[CHECKPOINT_NOTE_SIZE + 1]; /* as it stands there, with NUL */
	uint64_t torn_size;
	struct hash torn_hash;
	char sentence[256]; /* why the torn bytes are no note */
};

struct checkpoint_reader;

/* ERROR_NOT_FOUND if there is no such file yet. */
int checkpoint_reader_new(int dir_fd, struct checkpoint_reader **ret_reader,
			  struct error *err) MUST_CHECK;
/* Before the first checkpoint_reader_next(): begin at this slot, as an item told its offset. */
void checkpoint_reader_seek(struct checkpoint_reader *reader, uint64_t offset);
void checkpoint_reader_free(struct checkpoint_reader *reader);
DEFINE_CLEANUP(checkpoint_reader_free, struct checkpoint_reader *);
int checkpoint_reader_next(struct checkpoint_reader *reader, struct checkpoint_item *ret_item,
			   struct error *err) MUST_CHECK;

/* Writing. */
struct checkpoint_file;

/*
 * Open the file, or create it (@created is then called to protect it, as in log_operations). The
 * last whole note is copied to *ret_last (signature_count 0: there is none).
 */
struct checkpoint_file_options {
	int (*created)(void *context, int fd, const char *name, struct error *err);
	void *context;
	const char *volume; /* for the void leaf */
};
int checkpoint_file_open(int dir_fd, const struct checkpoint_file_options *options,
			 struct checkpoint *ret_last, struct checkpoint_file **ret_file,
			 struct error *err) MUST_CHECK;
void checkpoint_file_free(struct checkpoint_file *file);
DEFINE_CLEANUP(checkpoint_file_free, struct checkpoint_file *);

/*
 * Was the end torn? Fills *ret_void for leaf_void_new(); the caller appends that leaf, then calls
 * checkpoint_file_voided(); appending a note before is an ASSERT. If the leaf was written before a
 * crash already, a second one does no harm.
 */
bool checkpoint_file_torn(const struct checkpoint_file *file, struct leaf_void *ret_void);
void checkpoint_file_voided(struct checkpoint_file *file);

/* Append one note (checked by checkpoint_decode()). Any error but ERROR_NO_SPACE is final. */
int checkpoint_file_append(struct checkpoint_file *file, const char *note, size_t length,
			   struct error *err) MUST_CHECK;
