#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "pull/grants.h"

/* All statements in one text, "; " between them. The caller frees it. */
static char *revokes(const struct grants *grants, enum flavour flavour)
{
	json_t *statements = json_array(), *statement;
	char *text = NULL;
	size_t size = 0, i;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	grants_revoke(grants, flavour, statements);
	json_array_foreach(statements, i, statement)
	{
		fprintf(out, "%s%s", i ? "; " : "", json_string_value(statement));
	}
	fclose(out);
	json_decref(statements);
	return text;
}

/* Lines as the servers print them, what is missing by them, and what is to be revoked. */
static const struct {
	enum flavour flavour;
	const char *lines[8];
	const char *missing, *revoke;
} accounts[] = {
	/* the least: MySQL 9.7, MariaDB 10.11 and 11.8 */
	{FLAVOUR_MYSQL, {"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `a`@`%`"}, "", ""},
	{FLAVOUR_MARIADB,
	 {"GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD "
	  "'*B69027D44F6E5EDC07F1AEAD1477967B16F28227' REQUIRE X509"},
	 "",
	 ""},
	{FLAVOUR_MARIADB,
	 {"GRANT REPLICATION REPLICA, REPLICATION CLIENT ON *.* TO 'a'@'%'"},
	 "",
	 ""},
	/* too little */
	{FLAVOUR_MYSQL,
	 {"GRANT USAGE ON *.* TO `a`@`%`"},
	 "REPLICATION SLAVE, REPLICATION CLIENT",
	 ""},
	{FLAVOUR_MYSQL, {"GRANT REPLICATION SLAVE ON *.* TO `a`@`%`"}, "REPLICATION CLIENT", ""},
	{FLAVOUR_MARIADB, {"GRANT BINLOG MONITOR ON *.* TO `a`@`%`"}, "REPLICATION SLAVE", ""},
	/* what some guides recommend: it cannot stream, and it can purge */
	{FLAVOUR_MYSQL,
	 {"GRANT USAGE ON *.* TO `a`@`%`",
	  "GRANT BINLOG_ADMIN,BINLOG_ENCRYPTION_ADMIN ON *.* TO `a`@`%`"},
	 "REPLICATION SLAVE, REPLICATION CLIENT",
	 "REVOKE BINLOG_ADMIN, BINLOG_ENCRYPTION_ADMIN ON *.* FROM `a`@`%`"},
	{FLAVOUR_MARIADB,
	 {"GRANT BINLOG ADMIN, BINLOG REPLAY, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `a`@`%` "
	  "WITH GRANT OPTION"},
	 "",
	 "REVOKE BINLOG ADMIN, BINLOG REPLAY, GRANT OPTION ON *.* FROM `a`@`%`"},
	/* static and dynamic privileges stand in two lines, with the same option */
	{FLAVOUR_MYSQL,
	 {"GRANT SHUTDOWN, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `a`@`%` WITH GRANT "
	  "OPTION",
	  "GRANT BINLOG_ADMIN ON *.* TO `a`@`%` WITH GRANT OPTION"},
	 "",
	 "REVOKE SHUTDOWN, GRANT OPTION, BINLOG_ADMIN ON *.* FROM `a`@`%`"},
	/* the right words on the wrong object */
	{FLAVOUR_MYSQL,
	 {"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `a`@`%`",
	  "GRANT INSERT ON `mysql`.* TO `a`@`%` WITH GRANT OPTION",
	  "GRANT SELECT ON `we``ird' on *.* to`.* TO `a`@`%`",
	  "GRANT SELECT (`host`, `user`), UPDATE (`host`) ON `mysql`.`user` TO `a`@`%`",
	  "GRANT EXECUTE ON PROCEDURE `sys`.`diagnostics` TO `a`@`%`",
	  "GRANT EXECUTE ON FUNCTION `sys`.`format_bytes` TO `a`@`%`",
	  "GRANT PROXY ON ``@`` TO `a`@`%` WITH GRANT OPTION"},
	 "",
	 "REVOKE INSERT, GRANT OPTION ON `mysql`.* FROM `a`@`%`; "
	 "REVOKE SELECT ON `we``ird' on *.* to`.* FROM `a`@`%`; "
	 "REVOKE SELECT (`host`, `user`), UPDATE (`host`) ON `mysql`.`user` FROM `a`@`%`; "
	 "REVOKE EXECUTE ON PROCEDURE `sys`.`diagnostics` FROM `a`@`%`; "
	 "REVOKE EXECUTE ON FUNCTION `sys`.`format_bytes` FROM `a`@`%`; "
	 "REVOKE PROXY ON ``@`` FROM `a`@`%`"},
	{FLAVOUR_MYSQL,
	 {"GRANT ALL PRIVILEGES ON `db`.* TO `a`@`%` WITH GRANT OPTION"},
	 "REPLICATION SLAVE, REPLICATION CLIENT",
	 "REVOKE ALL PRIVILEGES ON `db`.* FROM `a`@`%`; "
	 "REVOKE GRANT OPTION ON `db`.* FROM `a`@`%`"},
	{FLAVOUR_MARIADB,
	 {"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"},
	 "",
	 "REVOKE ALL PRIVILEGES ON *.* FROM `root`@`localhost`; "
	 "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `root`@`localhost`; "
	 "REVOKE GRANT OPTION ON *.* FROM `root`@`localhost`"},
	/* roles: who holds what is kept apart; the holder PUBLIC is everybody */
	{FLAVOUR_MARIADB,
	 {"GRANT `r1` TO `a`@`%`", "GRANT USAGE ON *.* TO `a`@`%`", "GRANT `r2` TO `r1`",
	  "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `r1`",
	  "GRANT BINLOG ADMIN ON *.* TO `r2`", "GRANT INSERT ON `test\\_%`.* TO PUBLIC",
	  "SET DEFAULT ROLE `r1` FOR `a`@`%`"},
	 "",
	 "REVOKE BINLOG ADMIN ON *.* FROM `r2`; REVOKE INSERT ON `test\\_%`.* FROM PUBLIC"},
	{FLAVOUR_MARIADB,
	 {"GRANT `r1` TO `a`@`%` WITH ADMIN OPTION"},
	 "REPLICATION SLAVE, BINLOG MONITOR",
	 "REVOKE ADMIN OPTION FOR `r1` FROM `a`@`%`"},
	{FLAVOUR_MYSQL,
	 {"GRANT `we``ird'\"r@x`@`%`,`r1`@`%` TO `a`@`%` WITH ADMIN OPTION"},
	 "REPLICATION SLAVE, REPLICATION CLIENT",
	 "REVOKE `we``ird'\"r@x`@`%` FROM `a`@`%`; GRANT `we``ird'\"r@x`@`%` TO `a`@`%`; "
	 "REVOKE `r1`@`%` FROM `a`@`%`; GRANT `r1`@`%` TO `a`@`%`"},
	/* restrictions give nothing; other quotes; other cases */
	{FLAVOUR_MYSQL,
	 {"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO \"a\"@\"10.%\"",
	  "REVOKE INSERT ON `db`.* FROM `a`@`%`"},
	 "",
	 ""},
	{FLAVOUR_MARIADB,
	 {"grant Replication Slave, Binlog Monitor on *.* to `it's TO `@`%` with "
	  "max_queries_per_hour "
	  "5"},
	 "",
	 ""},
};

static void real_accounts_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(accounts); i++) {
		struct grants *grants = grants_new();
		struct error err = {0};
		char *text;

		for (const char *const *line = accounts[i].lines; *line; line++)
			assert_ok(grants_add(grants, *line, NULL, &err), &err);
		text = revokes(grants, accounts[i].flavour);
		if (strcmp(grants_missing(grants, accounts[i].flavour), accounts[i].missing) != 0)
			fail_msg("account %zu misses '%s'", i,
				 grants_missing(grants, accounts[i].flavour));
		if (strcmp(text, accounts[i].revoke) != 0)
			fail_msg("account %zu: '%s'", i, text);
		free(text);
		grants_free(grants);
	}
}

static void what_is_not_understood_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"GRANT",
		"GRANT  TO `a`",
		"GRANT SELECT ON *.*",
		"GRANT SELECT ON *.* TO ",
		"GRANT SELECT ON `a.* TO `b`",
		"GRANT SELECT (`a` ON *.* TO `b`",
		"GRANT `TO `b`",
		"DENY SELECT ON *.* TO `a`",
		"GRANT SELECT ON *.* TO `a",
	};
	struct grants *grants = grants_new();
	char *large = malloc(GRANT_LINE_MAX + 100);
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		if (grants_add(grants, lines[i], NULL, &err) != ERROR_REFUSED)
			fail_msg("line %zu was taken", i);
		assert_non_null(strstr(err.message, "a line that is not understood"));
	}
	assert_int_equal(grants_count(grants), 0);
	assert_non_null(large);
	memset(large, 'x', GRANT_LINE_MAX + 100);
	memcpy(large, "GRANT ", 6);
	memcpy(large + GRANT_LINE_MAX + 50, " TO `a`", 8);
	assert_fails(grants_add(grants, large, NULL, &err), &err, ERROR_REFUSED, "not understood");
	free(large);
	grants_free(grants);
}

static void a_password_hash_is_neither_kept_nor_told(void **state)
{
	struct grants *grants = grants_new();
	struct error err = {0};

	(void)state;
	assert_ok(grants_add(grants, "GRANT SELECT ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*B6'",
			     NULL, &err),
		  &err);
	assert_string_equal(grants_at(grants, 0)->grantee, "`a`@`%`");
	assert_string_equal(grants_at(grants, 0)->name, "SELECT");
	assert_string_equal(grants_at(grants, 0)->object, "*.*");
	assert_int_equal(grants_count(grants), 1);
	/* Its words may be any. */
	assert_ok(grants_add(grants,
			     "GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD 'WITH GRANT "
			     "OPTION'",
			     NULL, &err),
		  &err);
	assert_int_equal(grants_count(grants), 2);
	grants_free(grants);
}

static void too_many_privileges_are_refused(void **state)
{
	struct grants *grants = grants_new();
	struct error err = {0};
	char line[64];
	int r = 0;

	(void)state;
	for (unsigned i = 0; i <= GRANTS_MAX && r == 0; i++) {
		snprintf(line, sizeof(line), "GRANT SELECT ON `t%u`.* TO `a`@`%%`", i);
		r = grants_add(grants, line, NULL, &err);
	}
	assert_fails(r, &err, ERROR_REFUSED, "more than 1024 privileges");
	assert_int_equal(grants_count(grants), GRANTS_MAX);
	grants_free(grants);
}

/* MySQL shows what a role gives as the account's own; the difference is the role's. */
static void what_a_role_adds_is_found(void **state)
{
	struct grants *direct = grants_new(), *with = grants_new(), *rest = NULL;
	struct error err = {0};
	char *text;

	(void)state;
	assert_ok(grants_add(direct, "GRANT USAGE ON *.* TO `a`@`%`", NULL, &err), &err);
	assert_ok(grants_add(direct, "GRANT INSERT ON `m`.* TO `a`@`%`", NULL, &err), &err);
	assert_ok(grants_add(with, "GRANT REPLICATION SLAVE ON *.* TO `a`@`%`", "`r`@`%`", &err),
		  &err);
	assert_ok(grants_add(with, "GRANT INSERT, UPDATE ON `m`.* TO `a`@`%`", "`r`@`%`", &err),
		  &err);
	assert_ok(grants_subtract(with, direct, &rest, &err), &err);
	assert_int_equal(grants_count(rest), 2);
	text = revokes(rest, FLAVOUR_MYSQL);
	assert_string_equal(text, "REVOKE UPDATE ON `m`.* FROM `r`@`%`");
	free(text);
	grants_free(direct);
	grants_free(with);
	grants_free(rest);
}

static void names_are_compared_without_their_quotes(void **state)
{
	(void)state;
	assert_true(grant_name_is("`archive`@`%`", "archive"));
	assert_true(grant_name_is("`archive`@`%`", "archive@%"));
	assert_true(grant_name_is("`archive`", "archive"));
	assert_true(grant_name_is("archive", "archive"));
	assert_true(grant_name_is("'archive'@'%'", "archive"));
	assert_true(grant_name_is("`we``ird`@`h`", "we`ird@h"));
	assert_false(grant_name_is("`archive`@`h`", "archive"));
	assert_false(grant_name_is("`archive2`@`%`", "archive"));
	assert_false(grant_name_is("`archive", "archive"));
	assert_false(grant_name_is("`archive`@", "archive"));
	assert_false(grant_name_is("NONE", "archive"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_accounts_are_judged),
		cmocka_unit_test(what_is_not_understood_is_refused),
		cmocka_unit_test(a_password_hash_is_neither_kept_nor_told),
		cmocka_unit_test(too_many_privileges_are_refused),
		cmocka_unit_test(what_a_role_adds_is_found),
		cmocka_unit_test(names_are_compared_without_their_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
