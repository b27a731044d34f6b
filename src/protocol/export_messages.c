#include "protocol/export_messages.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/secret.h"
#include "protocol/wire.h"

struct begin_wire {
	uint8_t kind;
	uint8_t form;
	uint8_t limit;
	le64 limit_usec;
	uint8_t limit_file[BINLOG_NAME_MAX + 1];
	le64 limit_position;
	le64 segment_count;
	le64 byte_count;
	uint8_t source[SOURCE_NAME_MAX + 1];
	uint8_t to[EXPORT_NAME_MAX + 1];
	uint8_t request[64];
	uint8_t archive[64];
	uint8_t worm[16];
};
static_assert(sizeof(struct begin_wire) == 438, "EXPORT_BEGIN's layout");

struct segment_wire {
	uint8_t header[SEGMENT_HEADER_SIZE];
	uint8_t key[SEGMENT_KEY_SIZE];
	uint8_t file_hash[HASH_SIZE];
	le64 file_size;
	le64 start_position;
	le64 good_end;
	le64 leaf_index;
	uint8_t last_of_file;
	uint8_t limited;
	uint8_t name[BINLOG_NAME_MAX + 1];
};
static_assert(sizeof(struct segment_wire) == 1251, "EXPORT_SEGMENT's layout");

struct progress_wire {
	le64 byte_count;
	le64 file_count;
};
static_assert(sizeof(struct progress_wire) == 16, "EXPORT_PROGRESS's layout");

struct done_wire {
	le64 good_end;
	le64 frame_count;
	uint8_t limit_reached;
	le32 code;
	uint8_t sentence[MESSAGE_SENTENCE_SIZE];
};
static_assert(sizeof(struct done_wire) == 533, "EXPORT_SEGMENT_DONE's layout");

struct result_wire {
	uint8_t body_hash[HASH_SIZE];
	le64 file_count;
	le64 byte_count;
	uint8_t until_file[BINLOG_NAME_MAX + 1];
	le64 until_position;
	le64 until_usec;
};
static_assert(sizeof(struct result_wire) == 193, "EXPORT_RESULT's layout");

struct manifest_wire {
	le16 signature_size;
	uint8_t signature[SIGNATURE_SIZE_MAX];
	uint8_t key_fingerprint[HASH_SIZE];
};
static_assert(sizeof(struct manifest_wire) == 194, "EXPORT_MANIFEST's layout");

int export_begin_send(int fd, const struct export_begin *m, int directory_fd, struct error *err)
{
	struct begin_wire wire = {
		.kind = (uint8_t)m->kind,
		.form = (uint8_t)m->form,
		.limit = (uint8_t)m->limit,
		.limit_usec = le64_put(m->limit_usec),
		.limit_position = le64_put(m->limit_position),
		.segment_count = le64_put(m->segment_count),
		.byte_count = le64_put(m->byte_count),
	};

	wire_put_text(wire.limit_file, sizeof(wire.limit_file), m->limit_file);
	wire_put_text(wire.source, sizeof(wire.source), m->source);
	wire_put_text(wire.to, sizeof(wire.to), m->to);
	wire_put_text(wire.request, sizeof(wire.request), m->request);
	wire_put_text(wire.archive, sizeof(wire.archive), m->archive);
	wire_put_text(wire.worm, sizeof(wire.worm), m->worm);
	return message_send(fd, MESSAGE_EXPORT_BEGIN, &wire, sizeof(wire), &directory_fd,
			    directory_fd >= 0, err);
}

/* A restore needs all that its manifest will state; `verify --decrypt` names what it likes. */
static int take_begin_names(const struct message *message, const struct begin_wire *wire,
			    struct export_begin *ret, struct error *err)
{
	bool restores = ret->kind == EXPORT_RESTORE;
	bool by_position = ret->limit == EXPORT_LIMIT_POSITION;

	if (wire_take_name(message, "limit_file", wire->limit_file, sizeof(wire->limit_file),
			   name_check_binlog, !by_position, ret->limit_file, err) < 0 ||
	    wire_take_name(message, "source", wire->source, sizeof(wire->source), name_check_source,
			   !restores, ret->source, err) < 0 ||
	    wire_take_name(message, "to", wire->to, sizeof(wire->to), name_check_export,
			   ret->form != EXPORT_TAR, ret->to, err) < 0 ||
	    wire_take_name(message, "request", wire->request, sizeof(wire->request),
			   name_check_export, !restores, ret->request, err) < 0 ||
	    wire_take_name(message, "archive", wire->archive, sizeof(wire->archive),
			   name_check_export, !restores, ret->archive, err) < 0 ||
	    wire_take_name(message, "worm", wire->worm, sizeof(wire->worm), name_check_source,
			   !restores, ret->worm, err) < 0)
		return err->code;
	if (ret->worm[0] != '\0' && strcmp(ret->worm, "required") != 0 &&
	    strcmp(ret->worm, "advisory") != 0)
		return wire_defect(message, "worm", err);
	return 0;
}

int export_begin_decode(const struct message *message, struct export_begin *ret, struct error *err)
{
	struct export_begin begin;
	struct begin_wire wire;

	if (wire_expect(message, MESSAGE_EXPORT_BEGIN, sizeof(wire), 0, 1, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "kind", wire.kind, EXPORT_VERIFY, err) < 0 ||
	    wire_take_choice(message, "form", wire.form, EXPORT_TAR, err) < 0 ||
	    wire_take_choice(message, "limit", wire.limit, EXPORT_LIMIT_POSITION, err) < 0)
		return err->code;
	begin.kind = (enum export_kind)wire.kind;
	begin.form = (enum export_form)wire.form;
	begin.limit = (enum export_limit)wire.limit;
	/* A restore has a directory to write to; a verification has none. */
	if ((message->fd_count == 1) != (begin.kind == EXPORT_RESTORE))
		return wire_defect(message, "directory", err);
	if (take_begin_names(message, &wire, &begin, err) < 0)
		return err->code;
	begin.limit_usec = le64_get(wire.limit_usec);
	begin.limit_position = le64_get(wire.limit_position);
	begin.segment_count = le64_get(wire.segment_count);
	begin.byte_count = le64_get(wire.byte_count);
	*ret = begin;
	return 0;
}

int export_segment_send(int fd, const struct export_segment *m, int segment_fd, struct error *err)
{
	struct segment_wire wire = {
		.file_size = le64_put(m->file_size),
		.start_position = le64_put(m->start_position),
		.good_end = le64_put(m->good_end),
		.leaf_index = le64_put(m->leaf_index),
		.last_of_file = m->last_of_file != 0,
		.limited = m->limited != 0,
	};
	int result;

	wire_put_text(wire.name, sizeof(wire.name), m->name);
	memcpy(wire.header, m->header, sizeof(wire.header));
	memcpy(wire.key, m->key, sizeof(wire.key));
	memcpy(wire.file_hash, m->file_hash.bytes, sizeof(wire.file_hash));
	result = message_send(fd, MESSAGE_EXPORT_SEGMENT, &wire, sizeof(wire), &segment_fd, 1, err);
	secret_wipe(&wire, sizeof(wire));
	return result;
}

int export_segment_decode(const struct message *message, struct export_segment *ret,
			  struct error *err)
{
	struct segment_wire wire;
	int result;

	if (wire_expect(message, MESSAGE_EXPORT_SEGMENT, sizeof(wire), 1, 1, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	result = wire_take_choice(message, "last_of_file", wire.last_of_file, 1, err);
	if (result == 0)
		result = wire_take_choice(message, "limited", wire.limited, 1, err);
	if (result == 0)
		result = wire_take_name(message, "name", wire.name, sizeof(wire.name),
					name_check_binlog, false, ret->name, err);
	if (result == 0) {
		memcpy(ret->header, wire.header, sizeof(wire.header));
		memcpy(ret->key, wire.key, sizeof(wire.key));
		memcpy(ret->file_hash.bytes, wire.file_hash, sizeof(wire.file_hash));
		ret->file_size = le64_get(wire.file_size);
		ret->start_position = le64_get(wire.start_position);
		ret->good_end = le64_get(wire.good_end);
		ret->leaf_index = le64_get(wire.leaf_index);
		ret->last_of_file = wire.last_of_file;
		ret->limited = wire.limited;
	}
	secret_wipe(&wire, sizeof(wire));
	return result;
}

int export_progress_send(int fd, const struct export_progress *m, struct error *err)
{
	struct progress_wire wire = {le64_put(m->byte_count), le64_put(m->file_count)};

	return message_send(fd, MESSAGE_EXPORT_PROGRESS, &wire, sizeof(wire), NULL, 0, err);
}

int export_progress_decode(const struct message *message, struct export_progress *ret,
			   struct error *err)
{
	struct progress_wire wire;

	if (wire_expect(message, MESSAGE_EXPORT_PROGRESS, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	ret->byte_count = le64_get(wire.byte_count);
	ret->file_count = le64_get(wire.file_count);
	return 0;
}

int export_segment_done_send(int fd, const struct export_segment_done *m, struct error *err)
{
	struct done_wire wire = {
		.good_end = le64_put(m->good_end),
		.frame_count = le64_put(m->frame_count),
		.limit_reached = m->limit_reached != 0,
		.code = le32_put((uint32_t)m->code),
	};

	wire_put_sentence(wire.sentence, sizeof(wire.sentence), m->sentence);
	return message_send(fd, MESSAGE_EXPORT_SEGMENT_DONE, &wire, sizeof(wire), NULL, 0, err);
}

int export_segment_done_decode(const struct message *message, struct export_segment_done *ret,
			       struct error *err)
{
	struct export_segment_done done;
	struct done_wire wire;
	int code;

	if (wire_expect(message, MESSAGE_EXPORT_SEGMENT_DONE, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "limit_reached", wire.limit_reached, 1, err) < 0 ||
	    wire_take_code(message, "code", wire.code, true, &code, err) < 0 ||
	    wire_take_sentence(message, "sentence", wire.sentence, sizeof(wire.sentence),
			       done.sentence, err) < 0)
		return err->code;
	done.good_end = le64_get(wire.good_end);
	done.frame_count = le64_get(wire.frame_count);
	done.limit_reached = wire.limit_reached;
	done.code = code;
	*ret = done;
	return 0;
}

int export_finish_send(int fd, struct error *err)
{
	return message_send(fd, MESSAGE_EXPORT_FINISH, NULL, 0, NULL, 0, err);
}

int export_result_send(int fd, const struct export_result *m, int body_fd, struct error *err)
{
	struct result_wire wire = {
		.file_count = le64_put(m->file_count),
		.byte_count = le64_put(m->byte_count),
		.until_position = le64_put(m->until_position),
		.until_usec = le64_put(m->until_usec),
	};

	memcpy(wire.body_hash, m->body_hash.bytes, sizeof(wire.body_hash));
	wire_put_text(wire.until_file, sizeof(wire.until_file), m->until_file);
	return message_send(fd, MESSAGE_EXPORT_RESULT, &wire, sizeof(wire), &body_fd, body_fd >= 0,
			    err);
}

int export_result_decode(const struct message *message, struct export_result *ret,
			 struct error *err)
{
	struct export_result result;
	struct result_wire wire;

	if (wire_expect(message, MESSAGE_EXPORT_RESULT, sizeof(wire), 0, 1, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_name(message, "until_file", wire.until_file, sizeof(wire.until_file),
			   name_check_binlog, true, result.until_file, err) < 0)
		return err->code;
	memcpy(result.body_hash.bytes, wire.body_hash, sizeof(wire.body_hash));
	result.file_count = le64_get(wire.file_count);
	result.byte_count = le64_get(wire.byte_count);
	result.until_position = le64_get(wire.until_position);
	result.until_usec = le64_get(wire.until_usec);
	*ret = result;
	return 0;
}

int export_manifest_send(int fd, const struct export_manifest *m, struct error *err)
{
	struct manifest_wire wire = {.signature_size = le16_put(m->signature_size)};

	ASSERT(m->signature_size > 0 && m->signature_size <= sizeof(wire.signature));
	memcpy(wire.signature, m->signature, m->signature_size);
	memcpy(wire.key_fingerprint, m->key_fingerprint.bytes, sizeof(wire.key_fingerprint));
	return message_send(fd, MESSAGE_EXPORT_MANIFEST, &wire, sizeof(wire), NULL, 0, err);
}

int export_manifest_decode(const struct message *message, struct export_manifest *ret,
			   struct error *err)
{
	struct export_manifest manifest;
	struct manifest_wire wire;

	if (wire_expect(message, MESSAGE_EXPORT_MANIFEST, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_bytes(message, "signature", wire.signature, sizeof(wire.signature),
			    wire.signature_size, manifest.signature, &manifest.signature_size,
			    err) < 0)
		return err->code;
	memcpy(manifest.key_fingerprint.bytes, wire.key_fingerprint, sizeof(wire.key_fingerprint));
	*ret = manifest;
	return 0;
}

int export_committed_send(int fd, struct error *err)
{
	return message_send(fd, MESSAGE_EXPORT_COMMITTED, NULL, 0, NULL, 0, err);
}
