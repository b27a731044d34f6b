#include "ledger/tree.h"

#include <string.h>

#include "base/endian.h"
#include "base/hex.h"

static const uint8_t leaf_prefix = 0x00;
static const uint8_t node_prefix = 0x01;

void tree_init(struct tree *tree)
{
	memset(tree, 0, sizeof(*tree));
}

static void join(const struct hash *left, const struct hash *right, struct hash *ret_hash)
{
	uint8_t bytes[1 + 2 * HASH_SIZE];

	bytes[0] = node_prefix;
	memcpy(bytes + 1, left->bytes, HASH_SIZE);
	memcpy(bytes + 1 + HASH_SIZE, right->bytes, HASH_SIZE);
	hash_bytes(bytes, sizeof(bytes), ret_hash);
}

/* Like adding 1 to a binary number: each carry joins two subtrees of the same size. */
void tree_append(struct tree *tree, const struct hash *leaf)
{
	struct hash carry = *leaf;
	unsigned height = 0;

	ASSERT(tree->size < UINT64_MAX);
	for (; tree->size >> height & 1; height++) {
		join(&tree->nodes[height], &carry, &carry);
		memset(&tree->nodes[height], 0, sizeof(tree->nodes[height]));
	}
	tree->nodes[height] = carry;
	tree->size++;
}

void tree_root(const struct tree *tree, struct hash *ret_root)
{
	struct hash root = {{0}};
	bool any = false;

	if (tree->size == 0) {
		hash_bytes("", 0, ret_root);
		return;
	}
	for (unsigned height = 0; height < TREE_NODES_MAX; height++) {
		if (!(tree->size >> height & 1))
			continue;
		if (any)
			join(&tree->nodes[height], &root, &root);
		else
			root = tree->nodes[height];
		any = true;
	}
	*ret_root = root;
}

bool tree_equal(const struct tree *a, const struct tree *b)
{
	/* unused nodes are zero, so that the plain bytes are comparable */
	return a->size == b->size && memcmp(a->nodes, b->nodes, sizeof(a->nodes)) == 0;
}

void tree_leaf_hash(const void *line, size_t length, struct hash *ret_hash)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();

	hasher_start(hasher);
	hasher_update(hasher, &leaf_prefix, 1);
	hasher_update(hasher, line, length);
	hasher_finish(hasher, ret_hash);
}

size_t tree_encode(const struct tree *tree, uint8_t bytes[static TREE_ENCODED_MAX])
{
	le64 size = le64_put(tree->size);
	size_t at = sizeof(size);

	memcpy(bytes, size.bytes, sizeof(size));
	for (unsigned height = TREE_NODES_MAX; height-- > 0;) {
		if (!(tree->size >> height & 1))
			continue;
		memcpy(bytes + at, tree->nodes[height].bytes, HASH_SIZE);
		at += HASH_SIZE;
	}
	return at;
}

int tree_decode(const void *bytes, size_t size, struct tree *ret_tree, struct error *err)
{
	const uint8_t *at = bytes;
	struct tree tree;
	size_t wanted;

	tree_init(&tree);
	if (size < 8)
		return error_set(err, ERROR_DEFECT, "a tree of %zu bytes is too short", size);
	tree.size = get_le64(at);
	wanted = 8 + (size_t)__builtin_popcountll(tree.size) * HASH_SIZE;
	if (size != wanted)
		return error_set(err, ERROR_DEFECT, "a tree of %ju leaves has %zu bytes, not %zu",
				 (uintmax_t)tree.size, wanted, size);
	if (tree.size > TREE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a tree of %ju leaves is beyond every limit",
				 (uintmax_t)tree.size);
	at += 8;
	for (unsigned height = TREE_NODES_MAX; height-- > 0;) {
		if (!(tree.size >> height & 1))
			continue;
		memcpy(tree.nodes[height].bytes, at, HASH_SIZE);
		at += HASH_SIZE;
	}
	*ret_tree = tree;
	return 0;
}

void tree_put(json_t *object, const char *key, const struct tree *tree)
{
	json_t *value = json_object();
	json_t *nodes = json_array();
	char text[HEX_SIZE(HASH_SIZE)];

	ASSERT(value && nodes);
	for (unsigned height = TREE_NODES_MAX; height-- > 0;) {
		if (!(tree->size >> height & 1))
			continue;
		hex_encode(tree->nodes[height].bytes, HASH_SIZE, text);
		ASSERT(json_array_append_new(nodes, json_string(text)) == 0);
	}
	json_put_u64(value, "size", tree->size);
	json_put(value, "nodes", nodes);
	json_put(object, key, value);
}

static int tree_get_nodes(const json_t *nodes, struct tree *tree, struct error *err)
{
	size_t at = 0;
	int r;

	if (tree->size > TREE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a tree of %ju leaves is beyond every limit",
				 (uintmax_t)tree->size);
	if (json_array_size(nodes) != (size_t)__builtin_popcountll(tree->size))
		return error_set(err, ERROR_DEFECT, "a tree of %ju leaves has %d nodes, not %zu",
				 (uintmax_t)tree->size, __builtin_popcountll(tree->size),
				 json_array_size(nodes));
	for (unsigned height = TREE_NODES_MAX; height-- > 0;) {
		const json_t *node;

		if (!(tree->size >> height & 1))
			continue;
		node = json_array_get(nodes, at++);
		if (!json_is_string(node))
			return error_set(err, ERROR_DEFECT, "a node of a tree is not a text");
		r = hex_decode(json_string_value(node), tree->nodes[height].bytes, HASH_SIZE, err);
		if (r < 0)
			return error_prefix(err, "a node of a tree");
	}
	return 0;
}

int tree_get(const json_t *object, const char *key, struct tree *ret_tree, struct error *err)
{
	const json_t *value;
	const json_t *nodes;
	struct tree tree;
	int r;

	tree_init(&tree);
	r = json_get_object(object, key, &value, err);
	if (r < 0)
		return r;
	r = json_get_u64(value, "size", &tree.size, err);
	if (r == 0)
		r = json_get_array(value, "nodes", &nodes, err);
	if (r == 0)
		r = tree_get_nodes(nodes, &tree, err);
	if (r < 0)
		return error_prefix(err, "in '%s'", key);
	*ret_tree = tree;
	return 0;
}
