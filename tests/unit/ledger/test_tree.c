#include "unit/cmocka_prelude.h"

#include "base/hex.h"
#include "ledger/tree.h"

/* The inputs and roots that the implementations of Certificate Transparency test with. */
static const struct {
	const char *bytes;
	size_t size;
	const char *root; /* of the inputs up to and with this one */
} vectors[] = {
	{"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
	{"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
	{"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
	{"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
	{"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
	{"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
	{"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
	 "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
	{"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
	 "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};
#define VECTOR_COUNT (sizeof(vectors) / sizeof(vectors[0]))

static void append_vector(struct tree *tree, size_t i)
{
	struct hash leaf;

	tree_leaf_hash(vectors[i].bytes, vectors[i].size, &leaf);
	tree_append(tree, &leaf);
}

static void the_root_is_that_of_rfc_6962(void **state)
{
	struct tree tree;
	struct hash root;
	char text[HEX_SIZE(HASH_SIZE)];

	(void)state;
	tree_init(&tree);
	tree_root(&tree, &root);
	hex_encode(root.bytes, HASH_SIZE, text);
	assert_string_equal(text,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < VECTOR_COUNT; i++) {
		append_vector(&tree, i);
		tree_root(&tree, &root);
		hex_encode(root.bytes, HASH_SIZE, text);
		assert_string_equal(text, vectors[i].root);
	}
}

static void a_tree_survives_bytes_and_json_at_every_size(void **state)
{
	struct tree tree;
	struct error err;

	(void)state;
	tree_init(&tree);
	for (size_t i = 0; i < 300; i++) {
		uint8_t bytes[TREE_ENCODED_MAX];
		size_t size = tree_encode(&tree, bytes);
		json_t *object = json_object();
		struct tree again;

		assert_ok(tree_decode(bytes, size, &again, &err), &err);
		assert_true(tree_equal(&tree, &again));
		assert_fails(tree_decode(bytes, size + 1, &again, &err), &err, ERROR_DEFECT,
			     "bytes, not");
		assert_int_equal(tree_decode(bytes, size - 1, &again, &err), ERROR_DEFECT);
		tree_put(object, "tree", &tree);
		memset(&again, 0xff, sizeof(again));
		assert_ok(tree_get(object, "tree", &again, &err), &err);
		assert_true(tree_equal(&tree, &again));
		json_decref(object);
		append_vector(&tree, i % VECTOR_COUNT);
	}
}

static void a_tree_beyond_every_limit_is_refused(void **state)
{
	uint8_t bytes[TREE_ENCODED_MAX];
	struct tree tree;
	struct error err;
	json_t *object = json_object();

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_fails(tree_decode(bytes, sizeof(bytes), &tree, &err), &err, ERROR_DEFECT,
		     "beyond every limit");
	assert_fails(tree_decode(bytes, 7, &tree, &err), &err, ERROR_DEFECT, "too short");
	assert_fails(tree_get(object, "tree", &tree, &err), &err, ERROR_DEFECT, "missing");
	json_decref(object);
}

static void a_json_tree_with_a_wrong_node_is_refused(void **state)
{
	static const char *const texts[] = {
		"{\"tree\":{\"nodes\":[],\"size\":\"1\"}}",
		"{\"tree\":{\"nodes\":[\"00\"],\"size\":\"1\"}}",
		"{\"tree\":{\"nodes\":[1],\"size\":\"1\"}}",
		"{\"tree\":{\"nodes\":{},\"size\":\"0\"}}",
		"{\"tree\":{\"nodes\":[],\"size\":0}}",
	};
	struct tree tree;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *object;

		assert_ok(json_parse_canonical(texts[i], strlen(texts[i]), &object, &err), &err);
		assert_int_equal(tree_get(object, "tree", &tree, &err), ERROR_DEFECT);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_is_that_of_rfc_6962),
		cmocka_unit_test(a_tree_survives_bytes_and_json_at_every_size),
		cmocka_unit_test(a_tree_beyond_every_limit_is_refused),
		cmocka_unit_test(a_json_tree_with_a_wrong_node_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
