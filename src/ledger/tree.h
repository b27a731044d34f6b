/*
 * The Merkle tree of RFC 6962 over the ledger's leaves, held as a compact range: the roots of the
 * perfect subtrees that the size in binary consists of. 64 hashes are enough for every size.
 *
 * A leaf's hash is SHA-256(0x00 || line), an inner node's SHA-256(0x01 || left || right), the root
 * of nothing SHA-256 of the empty string. FORMAT.md, "Tree".
 *
 * Owns: nothing; a struct tree is a plain value, and all zeros is the empty tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "crypto/hash.h"

#define TREE_NODES_MAX	 64
#define TREE_SIZE_MAX	 INT64_MAX /* of any tree that is read */
#define TREE_ENCODED_MAX (8 + TREE_NODES_MAX * HASH_SIZE)

struct tree {
	uint64_t size;			   /* leaves */
	struct hash nodes[TREE_NODES_MAX]; /* [i]: of 2^i leaves, if bit i of size is set; else 0 */
};

void tree_init(struct tree *tree);
void tree_append(struct tree *tree, const struct hash *leaf);
void tree_root(const struct tree *tree, struct hash *ret_root);
bool tree_equal(const struct tree *a, const struct tree *b);

/* SHA-256(0x00 || line); @line without its LF. */
void tree_leaf_hash(const void *line, size_t length, struct hash *ret_hash);

/* Bytes: le64 size, then the hashes, largest subtree first. Returns how many bytes. */
size_t tree_encode(const struct tree *tree, uint8_t bytes[static TREE_ENCODED_MAX]);
/* ERROR_DEFECT unless @size is exactly what the tree size at its beginning needs. */
int tree_decode(const void *bytes, size_t size, struct tree *ret_tree,
		struct error *err) MUST_CHECK;

/* JSON: @object[@key] = {"nodes":["<hex>", ...largest first], "size":"<decimal>"}. */
void tree_put(json_t *object, const char *key, const struct tree *tree);
int tree_get(const json_t *object, const char *key, struct tree *ret_tree,
	     struct error *err) MUST_CHECK;
