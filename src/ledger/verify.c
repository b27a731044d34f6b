/*
 * One pass over both files side by side: before a checkpoint of size n is compared, exactly the
 * leaves below n have been read. A checkpoint whose signature is wrong moves nothing: its size is
 * not to be believed.
 */
#include "ledger/verify.h"

#include <stdio.h>
#include <string.h>

#include "ledger/checkpoint_file.h"

struct verification {
	const struct ledger_verify_options *options;
	struct ledger_summary *summary;
	struct log_reader *reader;
	struct checkpoint_reader *checkpoints; /* NULL: there is no such file */
	uint64_t next_index;
	bool at_end;
	struct checkpoint_item item;
	struct leaf_void torn; /* checkpoints that are torn; size 0: none is pending */
	char torn_reason[256];
	struct checkpoint last_good;
};

static void forward(void *context, const char *file, uint64_t offset, const char *sentence)
{
	struct verification *v = context;

	v->summary->defect_count++;
	v->options->on_defect(v->options->context, file, offset, sentence);
}

/* Is this the void leaf for the torn checkpoints that are pending? */
static void settle_torn(struct verification *v, const struct leaf *leaf)
{
	struct leaf_void named;
	struct error ignored; /* the reader has told of it */

	if (v->torn.size == 0 || !leaf_is(leaf, "void") ||
	    leaf_void_get(leaf, &named, &ignored) < 0)
		return;
	if (strcmp(named.file, CHECKPOINT_FILE_NAME) != 0 || named.offset != v->torn.offset ||
	    named.size != v->torn.size ||
	    memcmp(named.hash.bytes, v->torn.hash.bytes, HASH_SIZE) != 0)
		return;
	if (v->options->volume && strcmp(named.volume, v->options->volume) != 0)
		return;
	v->torn.size = 0;
}

static int read_leaf(struct verification *v, struct error *err)
{
	const struct leaf *leaf;
	int r = log_reader_next(v->reader, &leaf, err);

	if (r < 0)
		return r;
	if (r == 0) {
		v->at_end = true;
		return 0;
	}
	v->next_index = leaf->index + 1;
	v->summary->leaf_count++;
	settle_torn(v, leaf);
	if (v->options->on_leaf)
		v->options->on_leaf(v->options->context, leaf);
	return 0;
}

static int read_leaves(struct verification *v, uint64_t size, struct error *err)
{
	int r = 0;

	while (r == 0 && !v->at_end && v->next_index < size)
		r = read_leaf(v, err);
	return r;
}

static void report_torn(struct verification *v)
{
	char sentence[400];

	if (v->torn.size == 0)
		return;
	snprintf(sentence, sizeof(sentence),
		 "%ju bytes are no checkpoint (%s), and no void leaf names them",
		 (uintmax_t)v->torn.size, v->torn_reason);
	forward(v, CHECKPOINT_FILE_NAME, v->torn.offset, sentence);
	v->torn.size = 0;
}

/* The ledger ends before what this checkpoint covers: say where the leaves are lost. */
static void report_short(struct verification *v)
{
	const struct log_end *end = log_reader_end(v->reader);
	char file[LOG_FILE_NAME_SIZE] = "";
	char sentence[256];

	log_file_name(end->file_first, file);
	snprintf(sentence, sizeof(sentence),
		 "the ledger ends after %ju leaves, a checkpoint covers %ju: leaves are lost or "
		 "damaged",
		 (uintmax_t)v->next_index, (uintmax_t)v->item.checkpoint.size);
	forward(v, file, end->torn.offset, sentence);
}

/* Everything but the signature. Returns the sentence of a defect, or NULL. */
static const char *check_order(struct verification *v, struct error *reason)
{
	const struct checkpoint *checkpoint = &v->item.checkpoint;
	const struct tree *tree = log_reader_tree(v->reader);

	if (checkpoint->size < v->last_good.size)
		return "a checkpoint that is smaller than the one before it: a fork or a rollback";
	if (!tree || tree->size != checkpoint->size)
		return "a checkpoint that cannot be compared, because leaves below its size are "
		       "lost or damaged";
	if (checkpoint_compare(checkpoint, tree, reason) < 0)
		return reason->message;
	return NULL;
}

static int check_note(struct verification *v, struct error *err)
{
	const struct checkpoint *checkpoint = &v->item.checkpoint;
	struct error reason;
	const char *sentence;
	int r;

	v->summary->checkpoint_count++;
	if (checkpoint_verify(checkpoint, v->options->origin, v->options->keys, &reason) < 0) {
		forward(v, CHECKPOINT_FILE_NAME, v->item.offset, reason.message);
		return 0;
	}
	r = read_leaves(v, checkpoint->size, err);
	if (r < 0)
		return r;
	report_torn(v);
	if (v->at_end && v->next_index < checkpoint->size) {
		report_short(v);
		return 0;
	}
	sentence = check_order(v, &reason);
	if (sentence) {
		forward(v, CHECKPOINT_FILE_NAME, v->item.offset, sentence);
		return 0;
	}
	v->last_good = *checkpoint;
	v->summary->signed_size = checkpoint->size;
	return 0;
}

static void take_torn(struct verification *v)
{
	report_torn(v); /* one that a bad checkpoint left pending */
	v->torn.offset = v->item.offset;
	v->torn.size = v->item.torn_size;
	v->torn.hash = v->item.torn_hash;
	memcpy(v->torn_reason, v->item.sentence, sizeof(v->torn_reason));
}

static int check_checkpoints(struct verification *v, struct error *err)
{
	int r;

	for (;;) {
		r = checkpoint_reader_next(v->checkpoints, &v->item, err);
		if (r < 0)
			return r;
		switch (v->item.kind) {
		case CHECKPOINT_END:
			v->summary->byte_count += v->item.offset;
			return 0;
		case CHECKPOINT_TORN:
			take_torn(v);
			break;
		case CHECKPOINT_NOTE:
			r = check_note(v, err);
			if (r < 0)
				return r;
			break;
		}
	}
}

static int verify(struct verification *v, struct error *err)
{
	int r = 0;

	while (r == 0 && !v->at_end && v->options->keys->count == 0)
		r = read_leaf(v, err);
	if (r == 0 && v->checkpoints)
		r = check_checkpoints(v, err);
	if (r == 0)
		r = read_leaves(v, UINT64_MAX, err);
	if (r < 0)
		return r;
	v->summary->torn = *log_reader_torn(v->reader);
	v->summary->torn_checkpoint_offset = v->torn.offset;
	v->summary->torn_checkpoint_size = v->torn.size;
	v->summary->byte_count += log_reader_bytes(v->reader);
	if (log_reader_tree(v->reader))
		tree_root(log_reader_tree(v->reader), &v->summary->root);
	return 0;
}

int ledger_verify(int dir_fd, const struct ledger_verify_options *options,
		  struct ledger_summary *ret_summary, struct error *err)
{
	CLEANUP(freep)
	struct verification *v = calloc(1, sizeof(*v));
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	CLEANUP(checkpoint_reader_freep)
	struct checkpoint_reader *checkpoints = NULL;
	struct ledger_summary summary;
	struct log_reader_options reader_options = {
		.volume = options->volume,
		.on_defect = forward,
		.context = v,
	};
	int r;

	ASSERT(v && options->on_defect);
	memset(&summary, 0, sizeof(summary));
	v->options = options;
	v->summary = &summary;
	r = log_reader_new(dir_fd, &reader_options, &reader, err);
	if (r == 0)
		r = checkpoint_reader_new(dir_fd, &checkpoints, err);
	if (r < 0 && (r != ERROR_NOT_FOUND || !reader))
		return r;
	v->reader = reader;
	v->checkpoints = checkpoints;
	r = verify(v, err);
	if (r < 0)
		return r;
	*ret_summary = summary;
	return 0;
}
