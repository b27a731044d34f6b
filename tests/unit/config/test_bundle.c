#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/json.h"
#include "config/bundle.h"

#define CONFIG                                                                                     \
	"[archive]\nname = vault01\nvolume = /vol/a\n"                                             \
	"[hsm]\nmodule = /lib/m.so\ntoken-label = t\nstate = /var/lib/h\npin-source = file:/pin\n"

/* "[archive]…" in base64 is not to be read here: the text of a bundle with one small file. */
#define SMALL                                                                                      \
	"{\"created_usec\":\"5\",\"files\":{\"pin\":\"MTIzNA==\"},\"schema\":1,"                   \
	"\"vault\":\"vault01\",\"version\":\"3\"}"

static struct bundle make(const char *vault, const char *config)
{
	struct bundle bundle = {.version = UINT64_MAX, .created_usec = 1795650000000000};
	struct error err;

	snprintf(bundle.vault, sizeof(bundle.vault), "%s", vault);
	assert_ok(bundle_add(&bundle, BUNDLE_CONFIG, config, strlen(config), &err), &err);
	assert_ok(bundle_add(&bundle, "pin", "1234", 4, &err), &err);
	assert_ok(bundle_add(&bundle, "empty", "", 0, &err), &err);
	return bundle;
}

static void a_bundle_comes_back_as_it_was(void **state)
{
	struct bundle bundle = make("vault01", CONFIG), again;
	struct config *config;
	char *text;
	size_t size;
	struct error err;

	(void)state;
	assert_ok(bundle_encode(&bundle, &text, &size, &err), &err);
	assert_int_equal(strlen(text), size);
	assert_ok(bundle_decode(text, size, &again, &err), &err);
	assert_string_equal(again.vault, "vault01");
	assert_int_equal(again.version, UINT64_MAX);
	assert_int_equal(again.created_usec, 1795650000000000);
	assert_int_equal(again.file_count, 3);
	for (size_t i = 0; i < bundle.file_count; i++) {
		const struct bundle_file *file = bundle_find(&again, bundle.files[i].name);

		assert_non_null(file);
		assert_int_equal(file->size, bundle.files[i].size);
		assert_memory_equal(file->bytes, bundle.files[i].bytes, file->size);
	}
	assert_null(bundle_find(&again, "password"));
	assert_ok(bundle_config(&again, &config, &err), &err);
	assert_string_equal(config->name, "vault01");
	config_free(config);
	bundle_release(&again);
	bundle_release(&bundle);
	free(text);
}

static void its_text_is_known(void **state)
{
	struct bundle bundle;
	struct error err;

	(void)state;
	assert_ok(bundle_decode(SMALL, strlen(SMALL), &bundle, &err), &err);
	assert_int_equal(bundle.version, 3);
	assert_memory_equal(bundle.files[0].bytes, "1234", 4);
	bundle_release(&bundle);
}

static void any_other_text_is_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} wrong[] = {
		{"", "not JSON"},
		{"[]", "not an object"},
		{"{\"schema\":\"1\"}", "field 'schema' is missing or not a number"},
		{"{\"schema\":2,\"signer\":\"x\"}", "schema 2, this program knows 1"},
		{"{\"owner\":\"x\",\"schema\":1}", "unknown field 'owner'"},
		{"{\"schema\":1}", "field 'vault' is missing"},
		{"{\"schema\":1,\"vault\":\"../x\"}", "field 'vault'"},
		{"{\"schema\":1,\"vault\":\"v\",\"version\":3}", "'version' is not a string"},
		{"{\"schema\":1,\"vault\":\"v\",\"version\":\"0\"}", "version 0: the first is 1"},
		{"{\"schema\":1,\"vault\":\"v\",\"version\":\"18446744073709551616\"}",
		 "'version' is not a 64-bit number"},
		{"{\"schema\":1,\"vault\":\"v\",\"version\":\"1\"}", "'created_usec' is missing"},
		{"{\"created_usec\":\"5\",\"files\":{\"../pin\":\"\"},\"schema\":1,"
		 "\"vault\":\"v\",\"version\":\"3\"}",
		 "file '../pin'"},
		{"{\"created_usec\":\"5\",\"files\":{\".pin\":\"\"},\"schema\":1,"
		 "\"vault\":\"v\",\"version\":\"3\"}",
		 "file '.pin'"},
		{"{\"created_usec\":\"5\",\"files\":{\"bundle.json\":\"\"},\"schema\":1,"
		 "\"vault\":\"v\",\"version\":\"3\"}",
		 "'bundle.json': this name is for"},
		{"{\"created_usec\":\"5\",\"files\":{\"pin\":7},\"schema\":1,"
		 "\"vault\":\"v\",\"version\":\"3\"}",
		 "file 'pin' is not a string"},
		{"{\"created_usec\":\"5\",\"files\":{\"pin\":\"MTIzNB==\"},\"schema\":1,"
		 "\"vault\":\"v\",\"version\":\"3\"}",
		 "file 'pin'"},
		{"{\"created_usec\":\"5\",\"files\":{\"pin\":\"\",\"pin\":\"\"},\"schema\":1,"
		 "\"vault\":\"v\",\"version\":\"3\"}",
		 "duplicate object key"},
		{"{\"schema\":1,\"created_usec\":\"5\",\"files\":{},\"vault\":\"v\","
		 "\"version\":\"3\"}",
		 "not in canonical form"},
		{SMALL "\n", "not in canonical form"},
	};
	struct bundle bundle;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		assert_fails(bundle_decode(wrong[i].text, strlen(wrong[i].text), &bundle, &err),
			     &err, ERROR_DEFECT, wrong[i].words);
}

static void files_are_bounded_in_name_size_and_number(void **state)
{
	struct bundle bundle = {.version = 1, .vault = "vault01"};
	uint8_t *bytes = calloc(1, BUNDLE_FILE_SIZE_MAX + 1);
	char name[BUNDLE_NAME_MAX + 2] = "";
	char *text = NULL;
	size_t size;
	struct error err;

	(void)state;
	assert_non_null(bytes);
	assert_fails(bundle_add(&bundle, "a", bytes, BUNDLE_FILE_SIZE_MAX + 1, &err), &err,
		     ERROR_USAGE, "file 'a' has more than 262144 bytes");
	memset(name, 'a', BUNDLE_NAME_MAX + 1);
	assert_fails(bundle_add(&bundle, name, "", 0, &err), &err, ERROR_USAGE,
		     "65 characters: 1 to 64");
	for (unsigned i = 0; i < BUNDLE_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_ok(bundle_add(&bundle, name, bytes, 0, &err), &err);
	}
	assert_fails(bundle_add(&bundle, "a", "", 0, &err), &err, ERROR_USAGE,
		     "more than 32 files");
	assert_fails(bundle_add(&bundle, "f3", "", 0, &err), &err, ERROR_USAGE,
		     "file 'f3' comes twice");
	bundle_release(&bundle);
	bundle = (struct bundle){.version = 1, .vault = "vault01"};
	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_ok(bundle_add(&bundle, name, bytes, BUNDLE_FILE_SIZE_MAX, &err), &err);
	}
	assert_fails(bundle_encode(&bundle, &text, &size, &err), &err, ERROR_USAGE,
		     "the files together: ");
	assert_null(text);
	bundle_release(&bundle);
	free(bytes);
}

static void the_configuration_must_be_there_in_order_and_of_this_vault(void **state)
{
	struct bundle other = make("vault02", CONFIG);
	struct bundle unknown = make("vault01", CONFIG "colour = red\n");
	struct bundle none;
	struct config *config = NULL;
	struct error err;

	(void)state;
	assert_fails(bundle_config(&other, &config, &err), &err, ERROR_USAGE,
		     "it is for vault 'vault02', and binvault.conf in it for 'vault01'");
	assert_fails(bundle_config(&unknown, &config, &err), &err, ERROR_USAGE,
		     "binvault.conf:9: unknown key 'colour' in section [hsm]");
	assert_ok(bundle_decode(SMALL, strlen(SMALL), &none, &err), &err);
	assert_fails(bundle_config(&none, &config, &err), &err, ERROR_USAGE,
		     "there is no file 'binvault.conf' in it");
	assert_null(config);
	bundle_release(&other);
	bundle_release(&unknown);
	bundle_release(&none);
}

static void a_mark_comes_back_as_it_was(void **state)
{
	struct bundle_mark mark = {.vault = "vault01", .version = 7, .bundle = {1}, .config = {2}};
	struct bundle_mark again = {.version = 0};
	char text[BUNDLE_MARK_SIZE_MAX];
	size_t size = bundle_mark_encode(&mark, text);
	struct error err;

	(void)state;
	assert_int_equal(text[size - 1], '\n');
	assert_ok(bundle_mark_decode(text, size, &again, &err), &err);
	assert_memory_equal(&again, &mark, sizeof(mark));
	assert_fails(bundle_mark_decode(text, size - 1, &again, &err), &err, ERROR_DEFECT,
		     "not one line");
	text[2] = 'X';
	assert_fails(bundle_mark_decode(text, size, &again, &err), &err, ERROR_DEFECT,
		     "unknown field");
}

/* --- what a configuration beside a mark says -------------------------------------------------- */

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void a_configuration_knows_from_which_bundle_it_comes(void **state)
{
	char directory[] = "/tmp/binvault-bundle-XXXXXX", path[64], mark_path[64];
	struct bundle_mark mark = {.vault = "vault01", .version = 7, .bundle = {1}, .config = {2}};
	const uint8_t hash[32] = {2}, other[32] = {3};
	char text[BUNDLE_MARK_SIZE_MAX];
	struct config *config;
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/" BUNDLE_CONFIG, directory);
	snprintf(mark_path, sizeof(mark_path), "%s/" BUNDLE_MARK, directory);
	write_file(directory, BUNDLE_CONFIG, CONFIG);
	assert_ok(config_load(path, &config, &err), &err);
	assert_ok(bundle_identify(config, other, &err), &err);
	assert_int_equal(config->bundle_version, 0);
	assert_memory_equal(config->hash, other, sizeof(other));
	bundle_mark_encode(&mark, text);
	write_file(directory, BUNDLE_MARK, text);
	assert_ok(bundle_identify(config, hash, &err), &err);
	assert_int_equal(config->bundle_version, 7);
	assert_memory_equal(config->bundle_hash, mark.bundle, sizeof(mark.bundle));
	assert_fails(bundle_identify(config, other, &err), &err, ERROR_USAGE,
		     "was changed since it was applied as version 7 of a bundle");
	write_file(directory, BUNDLE_MARK, "{}\n");
	assert_fails(bundle_identify(config, hash, &err), &err, ERROR_USAGE,
		     "bundle.json': field 'schema' is missing");
	config_free(config);
	unlink(path);
	unlink(mark_path);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_comes_back_as_it_was),
		cmocka_unit_test(its_text_is_known),
		cmocka_unit_test(any_other_text_is_refused),
		cmocka_unit_test(files_are_bounded_in_name_size_and_number),
		cmocka_unit_test(the_configuration_must_be_there_in_order_and_of_this_vault),
		cmocka_unit_test(a_mark_comes_back_as_it_was),
		cmocka_unit_test(a_configuration_knows_from_which_bundle_it_comes),
	};

	json_wipe_freed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
