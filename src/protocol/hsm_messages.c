#include "protocol/hsm_messages.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/secret.h"
#include "protocol/wire.h"

struct provision_wire {
	uint8_t archive_id[16];
	uint8_t make_keys;
};
static_assert(sizeof(struct provision_wire) == 17, "PROVISION's layout");

struct key_wire {
	uint8_t label[96];
	le16 der_size;
	uint8_t der[PUBLIC_KEY_DER_MAX];
};
struct keys_wire {
	struct key_wire master;
	struct key_wire checkpoint;
	struct key_wire manifest;
};
static_assert(sizeof(struct keys_wire) == 3 * (96 + 2 + 1152), "KEYS' layout");

struct unwrap_wire {
	uint8_t archive_id[16];
	le32 master_sequence;
	le16 wrap_size;
	uint8_t wrap[WRAP_SIZE_MAX];
};
static_assert(sizeof(struct unwrap_wire) == 1046, "UNWRAP's layout");

/* SIGNED_STATE: `stored`, then the tree as ledger/tree.h writes it. */
#define SIGNED_STATE_MAX (1 + TREE_ENCODED_MAX)

/* SIGN_CHECKPOINT: this, then leaf_count hashes. */
struct sign_checkpoint_wire {
	uint8_t origin[HSM_ORIGIN_SIZE];
	le64 from_size;
	uint8_t from_root[HASH_SIZE];
	le16 leaf_count;
};
static_assert(sizeof(struct sign_checkpoint_wire) == 106, "SIGN_CHECKPOINT's layout");
static_assert(sizeof(struct hash) == HASH_SIZE, "leaves are copied as they stand");

struct signature_wire {
	le64 size;
	uint8_t root[HASH_SIZE];
	le16 signature_size;
	uint8_t signature[SIGNATURE_SIZE_MAX];
};
static_assert(sizeof(struct signature_wire) == 202, "SIGNATURE's layout");

int hsm_provision_send(int fd, const struct hsm_provision *m, struct error *err)
{
	struct provision_wire wire = {.make_keys = m->make_keys != 0};

	memcpy(wire.archive_id, m->archive_id, sizeof(wire.archive_id));
	return message_send(fd, MESSAGE_HSM_PROVISION, &wire, sizeof(wire), NULL, 0, err);
}

int hsm_provision_decode(const struct message *message, struct hsm_provision *ret,
			 struct error *err)
{
	struct provision_wire wire;

	if (wire_expect(message, MESSAGE_HSM_PROVISION, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_choice(message, "make_keys", wire.make_keys, 1, err) < 0)
		return err->code;
	memcpy(ret->archive_id, wire.archive_id, sizeof(ret->archive_id));
	ret->make_keys = wire.make_keys;
	return 0;
}

int hsm_keys_request_send(int fd, struct error *err)
{
	return message_send(fd, MESSAGE_HSM_KEYS, NULL, 0, NULL, 0, err);
}

static void put_key(struct key_wire *wire, const struct hsm_key *key)
{
	ASSERT(key->der_size > 0 && key->der_size <= sizeof(wire->der));
	wire_put_text(wire->label, sizeof(wire->label), key->label);
	wire->der_size = le16_put(key->der_size);
	memset(wire->der, 0, sizeof(wire->der));
	memcpy(wire->der, key->der, key->der_size);
}

static int take_key(const struct message *message, const char *name, const struct key_wire *wire,
		    struct hsm_key *ret, struct error *err)
{
	if (wire_take_text(message, name, wire->label, sizeof(wire->label), ret->label, err) < 0)
		return err->code;
	return wire_take_bytes(message, name, wire->der, sizeof(wire->der), wire->der_size,
			       ret->der, &ret->der_size, err);
}

int hsm_keys_send(int fd, const struct hsm_keys *m, struct error *err)
{
	struct keys_wire wire;

	put_key(&wire.master, &m->master);
	put_key(&wire.checkpoint, &m->checkpoint);
	put_key(&wire.manifest, &m->manifest);
	return message_send(fd, MESSAGE_HSM_KEYS, &wire, sizeof(wire), NULL, 0, err);
}

int hsm_keys_decode(const struct message *message, struct hsm_keys *ret, struct error *err)
{
	struct keys_wire wire;
	struct hsm_keys keys;

	if (wire_expect(message, MESSAGE_HSM_KEYS, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (take_key(message, "master", &wire.master, &keys.master, err) < 0 ||
	    take_key(message, "checkpoint", &wire.checkpoint, &keys.checkpoint, err) < 0 ||
	    take_key(message, "manifest", &wire.manifest, &keys.manifest, err) < 0)
		return err->code;
	*ret = keys;
	return 0;
}

int hsm_unwrap_send(int fd, const struct hsm_unwrap *m, struct error *err)
{
	struct unwrap_wire wire = {
		.master_sequence = le32_put(m->master_sequence),
		.wrap_size = le16_put(m->wrap_size),
	};

	ASSERT(m->wrap_size > 0 && m->wrap_size <= sizeof(wire.wrap));
	memcpy(wire.archive_id, m->archive_id, sizeof(wire.archive_id));
	memcpy(wire.wrap, m->wrap, m->wrap_size);
	return message_send(fd, MESSAGE_HSM_UNWRAP, &wire, sizeof(wire), NULL, 0, err);
}

int hsm_unwrap_decode(const struct message *message, struct hsm_unwrap *ret, struct error *err)
{
	struct hsm_unwrap unwrap;
	struct unwrap_wire wire;

	if (wire_expect(message, MESSAGE_HSM_UNWRAP, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_bytes(message, "wrap", wire.wrap, sizeof(wire.wrap), wire.wrap_size,
			    unwrap.wrap, &unwrap.wrap_size, err) < 0)
		return err->code;
	memcpy(unwrap.archive_id, wire.archive_id, sizeof(wire.archive_id));
	unwrap.master_sequence = le32_get(wire.master_sequence);
	*ret = unwrap;
	return 0;
}

int hsm_unwrapped_send(int fd, const struct hsm_unwrapped *m, struct error *err)
{
	return message_send(fd, MESSAGE_HSM_UNWRAPPED, m->bytes, sizeof(m->bytes), NULL, 0, err);
}

int hsm_unwrapped_decode(const struct message *message, struct hsm_unwrapped *ret,
			 struct error *err)
{
	if (wire_expect(message, MESSAGE_HSM_UNWRAPPED, sizeof(ret->bytes), 0, 0, err) < 0)
		return err->code;
	memcpy(ret->bytes, message->body, sizeof(ret->bytes));
	return 0;
}

int hsm_last_signed_request_send(int fd, struct error *err)
{
	return message_send(fd, MESSAGE_HSM_LAST_SIGNED, NULL, 0, NULL, 0, err);
}

int hsm_signed_state_send(int fd, const struct hsm_signed_state *m, struct error *err)
{
	uint8_t bytes[SIGNED_STATE_MAX];
	size_t size;

	bytes[0] = m->stored != 0;
	size = 1 + tree_encode(&m->tree, bytes + 1);
	return message_send(fd, MESSAGE_HSM_SIGNED_STATE, bytes, size, NULL, 0, err);
}

int hsm_signed_state_decode(const struct message *message, struct hsm_signed_state *ret,
			    struct error *err)
{
	struct hsm_signed_state state;

	/* tree_decode() knows what size it must have; here only that there is something. */
	if (message_expect(message, MESSAGE_HSM_SIGNED_STATE, err) < 0)
		return err->code;
	if (message->body_size < 1 || message->body_size > SIGNED_STATE_MAX ||
	    message->fd_count != 0)
		return wire_defect(message, "size", err);
	if (wire_take_choice(message, "stored", message->body[0], 1, err) < 0)
		return err->code;
	if (tree_decode(message->body + 1, message->body_size - 1, &state.tree, err) < 0)
		return error_prefix(err, "message %s", message_type_name(message->type));
	state.stored = message->body[0];
	if (!state.stored && state.tree.size != 0)
		return wire_defect(message, "stored", err);
	*ret = state;
	return 0;
}

int hsm_sign_checkpoint_send(int fd, const struct hsm_sign_checkpoint *m, struct error *err)
{
	uint8_t bytes[sizeof(struct sign_checkpoint_wire) + HSM_LEAVES_MAX * HASH_SIZE];
	struct sign_checkpoint_wire wire = {
		.from_size = le64_put(m->from_size),
		.leaf_count = le16_put(m->leaf_count),
	};
	size_t leaves_size = (size_t)m->leaf_count * HASH_SIZE;

	static_assert(sizeof(bytes) <= MESSAGE_BODY_MAX, "all leaves fit one message");
	ASSERT(m->leaf_count <= HSM_LEAVES_MAX);
	wire_put_text(wire.origin, sizeof(wire.origin), m->origin);
	memcpy(wire.from_root, m->from_root.bytes, sizeof(wire.from_root));
	memcpy(bytes, &wire, sizeof(wire));
	memcpy(bytes + sizeof(wire), m->leaves, leaves_size);
	return message_send(fd, MESSAGE_HSM_SIGN_CHECKPOINT, bytes, sizeof(wire) + leaves_size,
			    NULL, 0, err);
}

int hsm_sign_checkpoint_decode(const struct message *message, struct hsm_sign_checkpoint *ret,
			       struct error *err)
{
	struct sign_checkpoint_wire wire;
	uint16_t leaf_count;

	if (message_expect(message, MESSAGE_HSM_SIGN_CHECKPOINT, err) < 0)
		return err->code;
	if (message->body_size < sizeof(wire))
		return wire_defect(message, "size", err);
	memcpy(&wire, message->body, sizeof(wire));
	leaf_count = le16_get(wire.leaf_count);
	if (leaf_count > HSM_LEAVES_MAX)
		return wire_defect(message, "leaf_count", err);
	if (wire_expect(message, MESSAGE_HSM_SIGN_CHECKPOINT,
			sizeof(wire) + (size_t)leaf_count * HASH_SIZE, 0, 0, err) < 0)
		return err->code;
	if (wire_take_text(message, "origin", wire.origin, sizeof(wire.origin), ret->origin, err) <
	    0)
		return err->code;
	ret->from_size = le64_get(wire.from_size);
	memcpy(ret->from_root.bytes, wire.from_root, sizeof(wire.from_root));
	ret->leaf_count = leaf_count;
	memset(ret->leaves, 0, sizeof(ret->leaves));
	memcpy(ret->leaves, message->body + sizeof(wire), (size_t)leaf_count * HASH_SIZE);
	return 0;
}

int hsm_sign_manifest_send(int fd, const struct hsm_sign_manifest *m, struct error *err)
{
	return message_send(fd, MESSAGE_HSM_SIGN_MANIFEST, m->pae.bytes, sizeof(m->pae.bytes), NULL,
			    0, err);
}

int hsm_sign_manifest_decode(const struct message *message, struct hsm_sign_manifest *ret,
			     struct error *err)
{
	if (wire_expect(message, MESSAGE_HSM_SIGN_MANIFEST, sizeof(ret->pae.bytes), 0, 0, err) < 0)
		return err->code;
	memcpy(ret->pae.bytes, message->body, sizeof(ret->pae.bytes));
	return 0;
}

int hsm_signature_send(int fd, const struct hsm_signature *m, struct error *err)
{
	struct signature_wire wire = {
		.size = le64_put(m->size),
		.signature_size = le16_put(m->signature_size),
	};

	ASSERT(m->signature_size > 0 && m->signature_size <= sizeof(wire.signature));
	memcpy(wire.root, m->root.bytes, sizeof(wire.root));
	memcpy(wire.signature, m->signature, m->signature_size);
	return message_send(fd, MESSAGE_HSM_SIGNATURE, &wire, sizeof(wire), NULL, 0, err);
}

int hsm_signature_decode(const struct message *message, struct hsm_signature *ret,
			 struct error *err)
{
	struct hsm_signature signature;
	struct signature_wire wire;

	if (wire_expect(message, MESSAGE_HSM_SIGNATURE, sizeof(wire), 0, 0, err) < 0)
		return err->code;
	memcpy(&wire, message->body, sizeof(wire));
	if (wire_take_bytes(message, "signature", wire.signature, sizeof(wire.signature),
			    wire.signature_size, signature.signature, &signature.signature_size,
			    err) < 0)
		return err->code;
	signature.size = le64_get(wire.size);
	memcpy(signature.root.bytes, wire.root, sizeof(wire.root));
	*ret = signature;
	return 0;
}
