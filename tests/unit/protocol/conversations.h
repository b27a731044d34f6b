/* Every message of every conversation: how it is filled, sent and read, and which fields it has. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "base/error.h"
#include "protocol/control.h"
#include "protocol/damaged_message.h"
#include "protocol/export_messages.h"
#include "protocol/hsm_messages.h"
#include "protocol/observed.h"
#include "protocol/pull_messages.h"
#include "protocol/pull_preflight.h"
#include "protocol/pull_semi_sync.h"

struct field {
	const char *name;
	size_t offset, size;
};

struct conversation {
	const char *name;
	enum message_type type;
	size_t native_size;
	int fds; /* carried descriptors */
	int (*send)(int fd, const void *native, int carried, struct error *err);
	int (*decode)(const struct message *message, void *ret, struct error *err);
	void (*fill)(void *native);
	struct field fields[18];
};

union native {
	struct hello hello;
	struct attach attach;
	struct attached attached;
	struct open_segment open_segment;
	struct segment_opened segment_opened;
	struct progress progress;
	struct segment_closed segment_closed;
	struct pull_status pull_status;
	struct pull_preflight pull_preflight;
	struct control control;
	struct observed observed;
	struct damaged damaged;
	struct pull_semi_sync pull_semi_sync;
	struct hsm_provision provision;
	struct hsm_keys keys;
	struct hsm_unwrap unwrap;
	struct hsm_unwrapped unwrapped;
	struct hsm_signed_state signed_state;
	struct hsm_sign_checkpoint sign_checkpoint;
	struct hsm_sign_manifest sign_manifest;
	struct hsm_signature signature;
	struct export_begin begin;
	struct export_segment segment;
	struct export_progress export_progress;
	struct export_segment_done done;
	struct export_result result;
	struct export_manifest manifest;
};

static inline struct gtid_snapshot some_gtids(void)
{
	struct gtid_ranges *ranges = gtid_ranges_new(GTID_SNAPSHOT_SIZE_MAX);
	struct gtid_range range = {.group_size = 3, .group = "abc", .first = 1, .last = 77};
	struct gtid_snapshot snapshot;

	gtid_ranges_add(ranges, &range);
	range.group[0] = 'b';
	gtid_ranges_add(ranges, &range);
	gtid_snapshot_take(&snapshot, ranges);
	gtid_ranges_free(ranges);
	return snapshot;
}

#define TEXT(field, text) memcpy((field), (text), sizeof(text))

/* Every byte differs from its neighbour and none is zero. */
static inline void count_up(void *bytes, size_t size, unsigned char first)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)bytes)[i] = (unsigned char)((first + i) % 255 + 1);
}
#define COUNT_UP(field, first) count_up(&(field), sizeof(field), (first))

#define PLAIN(noun, type_)                                                                         \
	static inline int send_##noun(int fd, const void *m, int carried, struct error *err)       \
	{                                                                                          \
		(void)carried;                                                                     \
		return noun##_send(fd, m, err);                                                    \
	}                                                                                          \
	static inline int decode_##noun(const struct message *m, void *ret, struct error *err)     \
	{                                                                                          \
		return noun##_decode(m, ret, err);                                                 \
	}
#define WITH_FD(noun, send_call)                                                                   \
	static inline int send_##noun(int fd, const void *m, int carried, struct error *err)       \
	{                                                                                          \
		return send_call;                                                                  \
	}                                                                                          \
	static inline int decode_##noun(const struct message *m, void *ret, struct error *err)     \
	{                                                                                          \
		return noun##_decode(m, ret, err);                                                 \
	}

PLAIN(hello, hello)
PLAIN(attach, attach)
PLAIN(attached, attached)
PLAIN(open_segment, open_segment)
WITH_FD(segment_opened, segment_opened_send(fd, m, &carried, 1, err))
PLAIN(progress, progress)
PLAIN(segment_closed, segment_closed)
PLAIN(pull_status, pull_status)
PLAIN(pull_preflight, pull_preflight)
PLAIN(control, control)
WITH_FD(observed, observed_send(fd, m, carried, err))
PLAIN(damaged, damaged)
PLAIN(pull_semi_sync, pull_semi_sync)
PLAIN(hsm_provision, hsm_provision)
PLAIN(hsm_keys, hsm_keys)
PLAIN(hsm_unwrap, hsm_unwrap)
PLAIN(hsm_unwrapped, hsm_unwrapped)
PLAIN(hsm_signed_state, hsm_signed_state)
PLAIN(hsm_sign_checkpoint, hsm_sign_checkpoint)
PLAIN(hsm_sign_manifest, hsm_sign_manifest)
PLAIN(hsm_signature, hsm_signature)
WITH_FD(export_begin, export_begin_send(fd, m, carried, err))
WITH_FD(export_segment, export_segment_send(fd, m, carried, err))
PLAIN(export_progress, export_progress)
PLAIN(export_segment_done, export_segment_done)
WITH_FD(export_result, export_result_send(fd, m, carried, err))
PLAIN(export_manifest, export_manifest)

#define FILL(noun, type_)                                                                          \
	static inline void fill_##noun(void *native)                                               \
	{                                                                                          \
		struct type_ *m = native;

#define END }

FILL(hello, hello)
TEXT(m->program, "binvault-pull");
TEXT(m->version, "0.1.0");
COUNT_UP(m->config, 3);
END FILL(attach, attach) m->holds_segment = true;
COUNT_UP(m->segment_id, 9);
END FILL(attached, attached) m->kind = ATTACHED_NEXT;
COUNT_UP(m->identity, 1);
COUNT_UP(m->generation, 2);
COUNT_UP(m->file_id, 3);
TEXT(m->binlog_file, "mariadb-bin.000412");
TEXT(m->next_file, "mariadb-bin.000413");
COUNT_UP(m->good_end, 4);
COUNT_UP(m->last_event_position, 5);
COUNT_UP(m->last_event_crc, 6);
COUNT_UP(m->transaction_end, 7);
m->gtids = some_gtids();
END FILL(open_segment, open_segment) COUNT_UP(m->identity, 1);
COUNT_UP(m->generation, 2);
COUNT_UP(m->file_id, 3);
TEXT(m->binlog_file, "mariadb-bin.000412");
COUNT_UP(m->start_position, 4);
m->gtids = some_gtids();
m->begin.reason = GENERATION_FAILOVER;
COUNT_UP(m->begin.before, 5);
TEXT(m->begin.after_file, "binlog.000007");
COUNT_UP(m->begin.after_position, 6);
m->begin.gap = true;
TEXT(m->begin.sentence, "another server goes on");
END FILL(segment_opened, segment_opened) COUNT_UP(m->header, 1);
COUNT_UP(m->key, 2);
END FILL(progress, progress) COUNT_UP(m->segment_id, 1);
COUNT_UP(m->good_end, 2);
COUNT_UP(m->transaction_end, 3);
COUNT_UP(m->transaction_usec, 4);
COUNT_UP(m->received_usec, 5);
COUNT_UP(m->source_position, 6);
COUNT_UP(m->byte_count, 7);
COUNT_UP(m->frame_sequence, 8);
COUNT_UP(m->frame_tag, 9);
END FILL(segment_closed, segment_closed) COUNT_UP(m->segment_id, 1);
COUNT_UP(m->good_end, 2);
END FILL(damaged, damaged) COUNT_UP(m->segment_id, 1);
TEXT(m->binlog_file, "mariadb-bin.000412");
COUNT_UP(m->position, 2);
COUNT_UP(m->length, 3);
COUNT_UP(m->crc, 4);
END FILL(pull_semi_sync, pull_semi_sync) COUNT_UP(m->since_usec, 1);
TEXT(m->sentence, "no puller is connected");
TEXT(m->file, "mariadb-bin.000412");
COUNT_UP(m->position, 2);
COUNT_UP(m->acknowledged_count, 3);
COUNT_UP(m->other_count, 4);
END FILL(pull_status, pull_status) m->state = PULL_WAITING;
COUNT_UP(m->retry_usec, 1);
TEXT(m->server, "db1.bank.example:3306");
TEXT(m->sentence, "db1 refused the login (1045). Do: binvault source test orders");
TEXT(m->connection, "0b7d55c1-6f1c-4a2b-8c3d-2a7e11223344");
COUNT_UP(m->caught_up_usec, 2);
END FILL(pull_preflight, pull_preflight) m->ok = true;
COUNT_UP(m->time_usec, 1);
TEXT(m->server, "db1.bank.example:3306");
TEXT(m->text, "{\"ok\":true,\"rules\":[]}");
END FILL(control, control) m->kind = CONTROL_LIMIT;
COUNT_UP(m->until_usec, 1);
TEXT(m->sentence, "max-bytes-per-day: 10 GiB of today are archived");
END FILL(observed, observed) COUNT_UP(m->observed_usec, 1);
TEXT(m->server, "db1.bank.example:3306");
TEXT(m->sentence, "seen");
COUNT_UP(m->server_usec, 2);
m->read_only = true;
COUNT_UP(m->expire_usec, 3);
COUNT_UP(m->size_limit, 4);
m->semi_sync = OBSERVED_SEMI_SYNC_ON;
COUNT_UP(m->semi_sync_client_count, 5);
COUNT_UP(m->semi_sync_yes_count, 6);
COUNT_UP(m->semi_sync_no_count, 7);
m->file_count = 2;
TEXT(m->given_file, "mariadb-bin.000412");
COUNT_UP(m->given_position, 8);
TEXT(m->given_gtids, "0-11-884212");
TEXT(m->gtids, "0-11-884213");
END FILL(hsm_provision, hsm_provision) COUNT_UP(m->archive_id, 1);
m->make_keys = 1;
END FILL(hsm_keys, hsm_keys) TEXT(m->master.label, "BinvaultMasterKey_6f1c_1");
m->master.der_size = PUBLIC_KEY_DER_MAX;
COUNT_UP(m->master.der, 1);
TEXT(m->checkpoint.label, "BinvaultCheckpointKey_6f1c_1");
m->checkpoint.der_size = 1;
m->checkpoint.der[0] = 7;
TEXT(m->manifest.label, "BinvaultManifestKey_6f1c_1");
m->manifest.der_size = 2;
m->manifest.der[1] = 8;
END FILL(hsm_unwrap, hsm_unwrap) COUNT_UP(m->archive_id, 1);
COUNT_UP(m->master_sequence, 2);
m->wrap_size = 384;
count_up(m->wrap, 384, 3);
END FILL(hsm_unwrapped, hsm_unwrapped) COUNT_UP(m->bytes, 1);
END FILL(hsm_signed_state, hsm_signed_state)
struct hash leaf;

m->stored = 1;
tree_init(&m->tree);
for (unsigned char i = 0; i < 5; i++) {
	COUNT_UP(leaf, i);
	tree_append(&m->tree, &leaf);
}
END FILL(hsm_sign_checkpoint, hsm_sign_checkpoint) TEXT(m->origin, "binvault/6f1c");
COUNT_UP(m->from_size, 1);
COUNT_UP(m->from_root, 2);
m->leaf_count = HSM_LEAVES_MAX;
COUNT_UP(m->leaves, 3);
END FILL(hsm_sign_manifest, hsm_sign_manifest) COUNT_UP(m->pae, 1);
END FILL(hsm_signature, hsm_signature) COUNT_UP(m->size, 1);
COUNT_UP(m->root, 2);
m->signature_size = 71;
count_up(m->signature, 71, 3);
END FILL(export_begin, export_begin) m->kind = EXPORT_RESTORE;
m->form = EXPORT_TAR;
m->limit = EXPORT_LIMIT_POSITION;
COUNT_UP(m->limit_usec, 1);
TEXT(m->limit_file, "mariadb-bin.000412");
COUNT_UP(m->limit_position, 2);
COUNT_UP(m->segment_count, 3);
COUNT_UP(m->byte_count, 4);
TEXT(m->source, "orders");
TEXT(m->to, "INC-4711");
TEXT(m->request, "R-7F3A");
TEXT(m->archive, "6f1c");
TEXT(m->worm, "required");
END FILL(export_segment, export_segment) COUNT_UP(m->header, 1);
COUNT_UP(m->key, 2);
COUNT_UP(m->file_hash, 3);
COUNT_UP(m->file_size, 4);
COUNT_UP(m->start_position, 5);
COUNT_UP(m->good_end, 6);
COUNT_UP(m->leaf_index, 7);
m->last_of_file = 1;
m->limited = 1;
TEXT(m->name, "2.mariadb-bin.000412");
END FILL(export_progress, export_progress) COUNT_UP(m->byte_count, 1);
COUNT_UP(m->file_count, 2);
END FILL(export_segment_done, export_segment_done) COUNT_UP(m->good_end, 1);
COUNT_UP(m->frame_count, 2);
m->limit_reached = 1;
m->code = ERROR_DEFECT;
TEXT(m->sentence, "frame at offset 88213: authentication tag does not match");
END FILL(export_result, export_result) COUNT_UP(m->body_hash, 1);
COUNT_UP(m->file_count, 2);
COUNT_UP(m->byte_count, 3);
TEXT(m->until_file, "mariadb-bin.000412");
COUNT_UP(m->until_position, 4);
COUNT_UP(m->until_usec, 5);
END FILL(export_manifest, export_manifest) m->signature_size = SIGNATURE_SIZE_MAX;
COUNT_UP(m->signature, 1);
COUNT_UP(m->key_fingerprint, 2);
END

#undef FILL
#undef END

#define F(type_, member)                                                                           \
	{                                                                                          \
#member, offsetof(struct type_, member), sizeof(((struct type_ *)0)->member)       \
	}
#define ROW(noun, type_, number, fds_)                                                             \
#noun, number, sizeof(struct type_), fds_, send_##noun, decode_##noun, fill_##noun

	/* clang-format off */
static const struct conversation conversations[] = {
	{ROW(hello, hello, MESSAGE_HELLO, 0),
	 {F(hello, program), F(hello, version), F(hello, config)}},
	{ROW(attach, attach, MESSAGE_ATTACH, 0), {F(attach, holds_segment), F(attach, segment_id)}},
	{ROW(attached, attached, MESSAGE_ATTACHED, 0),
	 {F(attached, kind), F(attached, identity), F(attached, generation), F(attached, file_id),
	  F(attached, binlog_file), F(attached, next_file), F(attached, good_end),
	  F(attached, last_event_position), F(attached, last_event_crc),
	  F(attached, transaction_end), F(attached, gtids)}},
	{ROW(open_segment, open_segment, MESSAGE_OPEN_SEGMENT, 0),
	 {F(open_segment, identity), F(open_segment, generation), F(open_segment, file_id),
	  F(open_segment, binlog_file), F(open_segment, start_position), F(open_segment, gtids),
	  F(open_segment, begin.reason), F(open_segment, begin.before),
	  F(open_segment, begin.after_file), F(open_segment, begin.after_position),
	  F(open_segment, begin.gap), F(open_segment, begin.sentence)}},
	{ROW(segment_opened, segment_opened, MESSAGE_SEGMENT_OPENED, 1),
	 {F(segment_opened, header), F(segment_opened, key)}},
	{ROW(progress, progress, MESSAGE_PROGRESS, 0),
	 {F(progress, segment_id), F(progress, good_end), F(progress, transaction_end),
	  F(progress, transaction_usec), F(progress, received_usec), F(progress, source_position),
	  F(progress, byte_count), F(progress, frame_sequence), F(progress, frame_tag)}},
	{ROW(segment_closed, segment_closed, MESSAGE_SEGMENT_CLOSED, 0),
	 {F(segment_closed, segment_id), F(segment_closed, good_end)}},
	{ROW(damaged, damaged, MESSAGE_DAMAGED, 0),
	 {F(damaged, segment_id), F(damaged, binlog_file), F(damaged, position),
	  F(damaged, length), F(damaged, crc)}},
	{ROW(pull_semi_sync, pull_semi_sync, MESSAGE_SEMI_SYNC, 0),
	 {F(pull_semi_sync, on), F(pull_semi_sync, since_usec), F(pull_semi_sync, sentence),
	  F(pull_semi_sync, file), F(pull_semi_sync, position),
	  F(pull_semi_sync, acknowledged_count), F(pull_semi_sync, other_count)}},
	{ROW(pull_status, pull_status, MESSAGE_STATE, 0),
	 {F(pull_status, state), F(pull_status, retry_usec), F(pull_status, server),
	  F(pull_status, sentence), F(pull_status, connection), F(pull_status, caught_up_usec)}},
	{ROW(pull_preflight, pull_preflight, MESSAGE_PREFLIGHT, 0),
	 {F(pull_preflight, time_usec), F(pull_preflight, ok), F(pull_preflight, server),
	  F(pull_preflight, text)}},
	{ROW(control, control, MESSAGE_CONTROL, 0),
	 {F(control, kind), F(control, until_usec), F(control, sentence)}},
	{ROW(observed, observed, MESSAGE_OBSERVED, 1),
	 {F(observed, observed_usec), F(observed, server), F(observed, sentence),
	  F(observed, server_usec), F(observed, read_only), F(observed, expire_usec),
	  F(observed, size_limit), F(observed, semi_sync), F(observed, semi_sync_client_count),
	  F(observed, semi_sync_yes_count), F(observed, semi_sync_no_count),
	  F(observed, file_count), F(observed, given_file), F(observed, given_position),
	  F(observed, given_gtids), F(observed, gtids)}},
	{ROW(hsm_provision, hsm_provision, MESSAGE_HSM_PROVISION, 0),
	 {F(hsm_provision, archive_id), F(hsm_provision, make_keys)}},
	{ROW(hsm_keys, hsm_keys, MESSAGE_HSM_KEYS, 0),
	 {F(hsm_keys, master.label), F(hsm_keys, master.der_size), F(hsm_keys, master.der),
	  F(hsm_keys, checkpoint.label), F(hsm_keys, checkpoint.der_size),
	  F(hsm_keys, checkpoint.der), F(hsm_keys, manifest.label), F(hsm_keys, manifest.der_size),
	  F(hsm_keys, manifest.der)}},
	{ROW(hsm_unwrap, hsm_unwrap, MESSAGE_HSM_UNWRAP, 0),
	 {F(hsm_unwrap, archive_id), F(hsm_unwrap, master_sequence), F(hsm_unwrap, wrap_size),
	  F(hsm_unwrap, wrap)}},
	{ROW(hsm_unwrapped, hsm_unwrapped, MESSAGE_HSM_UNWRAPPED, 0), {F(hsm_unwrapped, bytes)}},
	{ROW(hsm_signed_state, hsm_signed_state, MESSAGE_HSM_SIGNED_STATE, 0),
	 {F(hsm_signed_state, stored), F(hsm_signed_state, tree)}},
	{ROW(hsm_sign_checkpoint, hsm_sign_checkpoint, MESSAGE_HSM_SIGN_CHECKPOINT, 0),
	 {F(hsm_sign_checkpoint, origin), F(hsm_sign_checkpoint, from_size),
	  F(hsm_sign_checkpoint, from_root), F(hsm_sign_checkpoint, leaf_count),
	  F(hsm_sign_checkpoint, leaves)}},
	{ROW(hsm_sign_manifest, hsm_sign_manifest, MESSAGE_HSM_SIGN_MANIFEST, 0),
	 {F(hsm_sign_manifest, pae)}},
	{ROW(hsm_signature, hsm_signature, MESSAGE_HSM_SIGNATURE, 0),
	 {F(hsm_signature, size), F(hsm_signature, root), F(hsm_signature, signature_size),
	  F(hsm_signature, signature)}},
	{ROW(export_begin, export_begin, MESSAGE_EXPORT_BEGIN, 1),
	 {F(export_begin, kind), F(export_begin, limit), F(export_begin, limit_usec),
	  F(export_begin, limit_file), F(export_begin, limit_position),
	  F(export_begin, segment_count), F(export_begin, byte_count), F(export_begin, source),
	  F(export_begin, form), F(export_begin, to), F(export_begin, request),
	  F(export_begin, archive), F(export_begin, worm)}},
	{ROW(export_segment, export_segment, MESSAGE_EXPORT_SEGMENT, 1),
	 {F(export_segment, header), F(export_segment, key), F(export_segment, file_hash),
	  F(export_segment, file_size), F(export_segment, start_position),
	  F(export_segment, good_end), F(export_segment, leaf_index),
	  F(export_segment, last_of_file), F(export_segment, limited),
	  F(export_segment, name)}},
	{ROW(export_progress, export_progress, MESSAGE_EXPORT_PROGRESS, 0),
	 {F(export_progress, byte_count), F(export_progress, file_count)}},
	{ROW(export_segment_done, export_segment_done, MESSAGE_EXPORT_SEGMENT_DONE, 0),
	 {F(export_segment_done, good_end), F(export_segment_done, frame_count),
	  F(export_segment_done, limit_reached), F(export_segment_done, code),
	  F(export_segment_done, sentence)}},
	{ROW(export_result, export_result, MESSAGE_EXPORT_RESULT, 1),
	 {F(export_result, body_hash), F(export_result, file_count), F(export_result, byte_count),
	  F(export_result, until_file), F(export_result, until_position),
	  F(export_result, until_usec)}},
	{ROW(export_manifest, export_manifest, MESSAGE_EXPORT_MANIFEST, 0),
	 {F(export_manifest, signature_size), F(export_manifest, signature),
	  F(export_manifest, key_fingerprint)}},
};
/* clang-format on */
