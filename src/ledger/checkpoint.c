#include "ledger/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"

#define EM_DASH	     "\xe2\x80\x94"
#define EM_DASH_SIZE 3
#define KEY_ID_SIZE  4

/* A key name of C2SP: not empty, no blank, no plus; ours is printable ASCII as well. */
static bool name_is_good(const char *name, size_t length)
{
	if (length == 0 || length >= CHECKPOINT_ORIGIN_SIZE)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '+')
			return false;
	}
	return true;
}

int checkpoint_body(const char *origin, uint64_t size, const struct hash *root,
		    char text[static CHECKPOINT_BODY_SIZE], struct error *err)
{
	char root_text[BASE64_SIZE(HASH_SIZE)];

	if (!name_is_good(origin, strnlen(origin, CHECKPOINT_ORIGIN_SIZE)))
		return error_set(err, ERROR_USAGE, "'%.70s' is no origin of a checkpoint", origin);
	base64_encode(root->bytes, HASH_SIZE, root_text);
	return snprintf(text, CHECKPOINT_BODY_SIZE, "%s\n%" PRIu64 "\n%s\n", origin, size,
			root_text);
}

int checkpoint_compose(const char *body, const struct hash *fingerprint, const void *signature,
		       size_t signature_size, char note[static CHECKPOINT_NOTE_SIZE + 1],
		       struct error *err)
{
	uint8_t bytes[KEY_ID_SIZE + SIGNATURE_SIZE_MAX];
	char text[BASE64_SIZE(sizeof(bytes))];
	struct checkpoint again;
	int length;
	int r;

	if (signature_size == 0 || signature_size > SIGNATURE_SIZE_MAX)
		return error_set(err, ERROR_USAGE, "a signature of %zu bytes", signature_size);
	memcpy(bytes, fingerprint->bytes, KEY_ID_SIZE);
	memcpy(bytes + KEY_ID_SIZE, signature, signature_size);
	base64_encode(bytes, KEY_ID_SIZE + signature_size, text);
	length = snprintf(note, CHECKPOINT_NOTE_SIZE + 1, "%s\n" EM_DASH " %.*s %s\n", body,
			  (int)strcspn(body, "\n"), body, text);
	if (length < 0 || length > (int)CHECKPOINT_NOTE_SIZE)
		return error_set(err, ERROR_USAGE, "the body of a checkpoint is too long");
	r = checkpoint_decode(note, (size_t)length, &again, err);
	if (r < 0) {
		error_prefix(err, "not the body of a checkpoint");
		return err->code = ERROR_USAGE;
	}
	return length;
}

/* The rest of a note that is being decoded. */
struct cursor {
	const char *at;
	const char *end;
};

/* The next line, without its LF; ERROR_DEFECT if none is complete. */
static int take_line(struct cursor *cursor, const char **ret_line, size_t *ret_length,
		     struct error *err)
{
	const char *stop = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));

	if (!stop)
		return error_set(err, ERROR_DEFECT, "a note that ends too early");
	*ret_line = cursor->at;
	*ret_length = (size_t)(stop - cursor->at);
	cursor->at = stop + 1;
	return 0;
}

static int decode_size(const char *line, size_t length, uint64_t *ret_size, struct error *err)
{
	uint64_t size = 0;
	bool good = length > 0 && (line[0] != '0' || length == 1);

	for (size_t i = 0; good && i < length; i++) {
		good = line[i] >= '0' && line[i] <= '9' &&
		       !__builtin_mul_overflow(size, 10, &size) &&
		       !__builtin_add_overflow(size, (uint64_t)(line[i] - '0'), &size);
	}
	if (!good || size > TREE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "the second line is no tree size");
	*ret_size = size;
	return 0;
}

static int decode_body(struct cursor *cursor, struct checkpoint *out, struct error *err)
{
	const char *start = cursor->at;
	const char *line = NULL;
	size_t length = 0;
	int r = take_line(cursor, &line, &length, err);

	if (r < 0)
		return r;
	if (!name_is_good(line, length))
		return error_set(err, ERROR_DEFECT, "the first line is no origin");
	memcpy(out->origin, line, length);
	r = take_line(cursor, &line, &length, err);
	if (r == 0)
		r = decode_size(line, length, &out->size, err);
	if (r == 0)
		r = take_line(cursor, &line, &length, err);
	if (r < 0)
		return r;
	r = base64_decode(line, length, out->root.bytes, HASH_SIZE, err);
	if (r != HASH_SIZE)
		return error_set(err, ERROR_DEFECT, "the third line is no root");
	out->body_length = (size_t)(cursor->at - start);
	if (out->body_length >= sizeof(out->body))
		return error_set(err, ERROR_DEFECT, "a body of %zu bytes", out->body_length);
	memcpy(out->body, start, out->body_length);
	r = take_line(cursor, &line, &length, err);
	if (r < 0)
		return r;
	if (length > 0)
		return error_set(err, ERROR_DEFECT, "the fourth line is not empty");
	return 0;
}

static int decode_signature(const char *line, size_t length, struct checkpoint_signature *out,
			    struct error *err)
{
	uint8_t bytes[CHECKPOINT_NOTE_SIZE];
	const char *name = line + EM_DASH_SIZE + 1;
	const char *blank;
	int size;

	if (length <= EM_DASH_SIZE + 1 || memcmp(line, EM_DASH " ", EM_DASH_SIZE + 1) != 0)
		return error_set(err, ERROR_DEFECT, "a signature line without its dash");
	blank = memchr(name, ' ', (size_t)(line + length - name));
	if (!blank || !name_is_good(name, (size_t)(blank - name)))
		return error_set(err, ERROR_DEFECT, "a signature line without a key name");
	memcpy(out->name, name, (size_t)(blank - name));
	size = base64_decode(blank + 1, (size_t)(line + length - blank - 1), bytes, sizeof(bytes),
			     err);
	if (size <= KEY_ID_SIZE)
		return error_set(err, ERROR_DEFECT, "a signature that is not in base64");
	memcpy(out->key_id, bytes, KEY_ID_SIZE);
	size -= KEY_ID_SIZE;
	/* another type's; without its bytes it counts as one that does not verify */
	if (size > SIGNATURE_SIZE_MAX)
		return 0;
	out->size = (uint16_t)size;
	memcpy(out->bytes, bytes + KEY_ID_SIZE, (size_t)size);
	return 0;
}

int checkpoint_decode(const char *note, size_t length, struct checkpoint *ret_checkpoint,
		      struct error *err)
{
	struct cursor cursor = {.at = note, .end = note + length};
	struct checkpoint out;
	int r;

	memset(&out, 0, sizeof(out));
	if (length > CHECKPOINT_NOTE_SIZE)
		return error_set(err, ERROR_DEFECT, "a note of %zu bytes, the limit is %u", length,
				 CHECKPOINT_NOTE_SIZE);
	r = decode_body(&cursor, &out, err);
	if (r < 0)
		return r;
	while (cursor.at < cursor.end) {
		const char *line = NULL;
		size_t line_length = 0;

		if (out.signature_count == CHECKPOINT_SIGNATURES_MAX)
			return error_set(err, ERROR_DEFECT, "more than %d signatures",
					 CHECKPOINT_SIGNATURES_MAX);
		r = take_line(&cursor, &line, &line_length, err);
		if (r == 0)
			r = decode_signature(line, line_length,
					     &out.signatures[out.signature_count], err);
		if (r < 0)
			return r;
		out.signature_count++;
	}
	if (out.signature_count == 0)
		return error_set(err, ERROR_DEFECT, "a note without a signature");
	*ret_checkpoint = out;
	return 0;
}

static const struct public_key *find_key(const struct checkpoint_keys *keys,
					 const uint8_t key_id[static KEY_ID_SIZE])
{
	struct hash fingerprint;

	for (size_t i = 0; i < keys->count; i++) {
		public_key_fingerprint(keys->keys[i], &fingerprint);
		if (memcmp(fingerprint.bytes, key_id, KEY_ID_SIZE) == 0)
			return keys->keys[i];
	}
	return NULL;
}

int checkpoint_verify(const struct checkpoint *checkpoint, const char *origin,
		      const struct checkpoint_keys *keys, struct error *err)
{
	size_t known = 0;
	int r;

	if (strcmp(checkpoint->origin, origin) != 0)
		return error_set(err, ERROR_DEFECT, "the checkpoint is of '%s', not of '%s'",
				 checkpoint->origin, origin);
	for (size_t i = 0; i < checkpoint->signature_count; i++) {
		const struct checkpoint_signature *signature = &checkpoint->signatures[i];
		const struct public_key *key;

		if (strcmp(signature->name, origin) != 0)
			continue;
		key = find_key(keys, signature->key_id);
		if (!key)
			continue;
		r = public_key_verify(key, checkpoint->body, checkpoint->body_length,
				      signature->bytes, signature->size, err);
		if (r < 0)
			return error_prefix(err, "checkpoint of %ju leaves",
					    (uintmax_t)checkpoint->size);
		known++;
	}
	if (known == 0)
		return error_set(err, ERROR_DEFECT,
				 "checkpoint of %ju leaves: no key that this archive knows has "
				 "signed it",
				 (uintmax_t)checkpoint->size);
	return 0;
}

int checkpoint_compare(const struct checkpoint *checkpoint, const struct tree *tree,
		       struct error *err)
{
	char expected[HEX_SIZE(HASH_SIZE)];
	char found[HEX_SIZE(HASH_SIZE)];
	struct hash root;

	ASSERT(checkpoint->size == tree->size);
	tree_root(tree, &root);
	if (memcmp(root.bytes, checkpoint->root.bytes, HASH_SIZE) == 0)
		return 0;
	hex_encode(checkpoint->root.bytes, HASH_SIZE, expected);
	hex_encode(root.bytes, HASH_SIZE, found);
	return error_set(err, ERROR_DEFECT,
			 "the first %ju leaves have the root %s, the checkpoint says %s",
			 (uintmax_t)tree->size, found, expected);
}
