/* What is accepted as a leaf is encoded again as the same line. */
#include <stdint.h>
#include <string.h>

#include "ledger/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char line[LEAF_SIZE_MAX];
	struct leaf_void fields;
	struct tree tree;
	struct leaf leaf;
	struct error err;
	json_t *own;
	int length;

	if (leaf_decode((const char *)data, size, &leaf, &err) < 0)
		return 0;
	own = json_copy(leaf.object);
	json_object_del(own, "index");
	json_object_del(own, "time");
	json_object_del(own, "boot");
	json_object_del(own, "uptime");
	length = leaf_encode(own, leaf.index, &leaf.stamp, line, &err);
	ASSERT(length >= 0 && (size_t)length == size && memcmp(line, data, size) == 0);
	json_decref(own);
	if (leaf_is(&leaf, "void") && leaf_void_get(&leaf, &fields, &err) == 0)
		ASSERT(strlen(fields.file) <= LEAF_FILE_NAME_MAX);
	if (tree_get(leaf.object, "tree", &tree, &err) == 0) {
		uint8_t bytes[TREE_ENCODED_MAX];
		struct tree again;
		size_t used = tree_encode(&tree, bytes);
		struct hash root;

		ASSERT(tree_decode(bytes, used, &again, &err) == 0 && tree_equal(&tree, &again));
		tree_root(&tree, &root);
	}
	leaf_release(&leaf);
	return 0;
}
