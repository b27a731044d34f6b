#include "unit/cmocka_prelude.h"

#include "pull/file_id.h"
#include "pull/identity.h"

static const struct identity mariadb = {
	.flavour = FLAVOUR_MARIADB, .server_id = 11, .spki = {{1, 2, 3}}};
static const struct identity mysql = {
	.flavour = FLAVOUR_MYSQL, .server_id = 12, .uuid = {9, 8, 7}, .spki = {{4}}};

static void an_identity_survives_its_encoding(void **state)
{
	uint8_t bytes[SEGMENT_IDENTITY_SIZE];
	struct identity back;
	struct error err;

	(void)state;
	identity_encode(&mysql, bytes);
	assert_int_equal(bytes[0], 'Y');
	assert_ok(identity_decode(bytes, &back, &err), &err);
	assert_true(identity_same(&mysql, &back));
	assert_int_equal(back.server_id, 12);
	assert_memory_equal(&back.spki, &mysql.spki, HASH_SIZE);
	identity_encode(&mariadb, bytes);
	assert_int_equal(bytes[0], 'M');
	bytes[0] = 'Z';
	assert_fails(identity_decode(bytes, &back, &err), &err, ERROR_DEFECT, "unknown kind 0x5a");
}

static void a_server_is_the_same_by_what_its_flavour_has(void **state)
{
	struct identity other = mariadb;

	(void)state;
	other.spki.bytes[0] ^= 1; /* a new certificate */
	assert_true(identity_same(&mariadb, &other));
	other.server_id++;
	assert_false(identity_same(&mariadb, &other));
	other = mysql;
	other.server_id++;
	assert_true(identity_same(&mysql, &other));
	other.uuid[15] ^= 1;
	assert_false(identity_same(&mysql, &other));
	assert_false(identity_same(&mysql, &mariadb));
}

static void an_identity_is_told_in_words(void **state)
{
	char text[IDENTITY_TEXT_SIZE];

	(void)state;
	identity_describe(&mariadb, text);
	assert_string_equal(text, "MariaDB server id 11");
	identity_describe(&mysql, text);
	assert_string_equal(text,
			    "MySQL server uuid 09080700-0000-0000-0000-000000000000, server id 12");
}

static struct hash id_of(const struct identity *identity, const char *file, const char *format,
			 const char *second)
{
	struct hash id;

	file_id_compute(identity, file, (const uint8_t *)format, strlen(format),
			(const uint8_t *)second, strlen(second), &id);
	return id;
}

static void a_file_id_tells_files_apart_and_not_certificates(void **state)
{
	struct identity renewed = mariadb, other = mariadb;
	struct hash id = id_of(&mariadb, "bin.000001", "format", "gtid list");
	struct hash ids[] = {
		id_of(&mysql, "bin.000001", "format", "gtid list"),
		id_of(&mariadb, "bin.000002", "format", "gtid list"),
		id_of(&mariadb, "bin.000001", "formaT", "gtid list"),
		id_of(&mariadb, "bin.000001", "format", "gtid lisT"),
		id_of(&mariadb, "bin.000001f", "ormat", "gtid list"),
		id_of(&mariadb, "bin.000001", "formatg", "tid list"),
	};
	struct hash same;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_memory_not_equal(&ids[i], &id, sizeof(id));
	renewed.spki.bytes[7] ^= 1;
	same = id_of(&renewed, "bin.000001", "format", "gtid list");
	assert_memory_equal(&same, &id, sizeof(id));
	other.server_id++;
	same = id_of(&other, "bin.000001", "format", "gtid list");
	assert_memory_not_equal(&same, &id, sizeof(id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_survives_its_encoding),
		cmocka_unit_test(a_server_is_the_same_by_what_its_flavour_has),
		cmocka_unit_test(an_identity_is_told_in_words),
		cmocka_unit_test(a_file_id_tells_files_apart_and_not_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
