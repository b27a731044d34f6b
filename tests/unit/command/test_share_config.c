#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/share_config.h"

#define BASE                                                                                       \
	"[archive]\nname = v\nvolume = /vol\n[hsm]\nmodule = /m.so\ntoken-label = t\nstate = /h\n" \
	"pin-source = file:/pin\n"
#define CLIENTS "[client one]\naddress = 192.0.2.1, fd00::1\n[client two]\naddress = 192.0.2.2\n"

/* What is written for this configuration, the caller frees it; or NULL and the sentence. */
static char *write_config(const char *text, enum share_kind kind, struct error *err)
{
	struct config *config = NULL;
	char *written = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&written, &size);
	int r;

	assert_ok(config_parse("f", text, strlen(text), &config, err), err);
	r = share_config_write(config, kind, 77, stream, err);
	fclose(stream);
	config_free(config);
	if (r < 0) {
		free(written);
		return NULL;
	}
	return written;
}

static void assert_written(enum share_kind kind, const char *expected)
{
	struct error err = {0};
	char *written = write_config(BASE "[export]\npath = /export\n" CLIENTS, kind, &err);

	assert_non_null(written);
	assert_string_equal(written, expected);
	free(written);
}

static void nfs_has_a_line_for_each_client_and_nobody_else(void **state)
{
#define OPTIONS "(ro,fsid=0,subtree_check,all_squash,anonuid=65534,anongid=77,sec=sys,xprtsec=mtls)"
	(void)state;
	assert_written(SHARE_NFS, "/export/one 192.0.2.1" OPTIONS " fd00::1" OPTIONS "\n"
				  "/export/two 192.0.2.2" OPTIONS "\n");
}

static void the_filters_open_one_port_for_each_address(void **state)
{
#define WAY(family, address, port)                                                                 \
	"add rule inet binvault input " family " saddr " address " tcp dport " port " accept\n"    \
	"add rule inet binvault output " family " daddr " address " tcp sport " port               \
	" ct state established accept\n"
	(void)state;
	assert_written(SHARE_NFS_FILTER,
		       WAY("ip", "192.0.2.1", "2049") WAY("ip", "192.0.2.2", "2049")
			       WAY("ip6", "fd00::1", "2049"));
	assert_written(SHARE_SAMBA_FILTER,
		       WAY("ip", "192.0.2.1", "445") WAY("ip", "192.0.2.2", "445")
			       WAY("ip6", "fd00::1", "445"));
}

static void samba_has_a_share_for_each_client(void **state)
{
	struct error err = {0};
	char *written = write_config(BASE "[export]\npath = /export\n" CLIENTS, SHARE_SAMBA, &err);

	(void)state;
	assert_non_null(written);
	assert_non_null(strstr(written, "\nserver smb encrypt = required\n"));
	assert_non_null(strstr(written, "\nhosts deny = ALL\nhosts allow = 192.0.2.1 fd00::1 "
					"192.0.2.2\n"));
	assert_non_null(strstr(written, "\n[one]\npath = /export/one\nvalid users = one\n"
					"hosts deny = ALL\nhosts allow = 192.0.2.1 fd00::1\n"));
	assert_non_null(strstr(written, "\n[two]\npath = /export/two\nvalid users = two\n"
					"hosts deny = ALL\nhosts allow = 192.0.2.2\n"));
	free(written);
}

static void samba_has_a_user_for_each_client(void **state)
{
#define NOWHERE ":65534::/nonexistent:/usr/sbin/nologin\n"
	(void)state;
	assert_written(SHARE_SAMBA_USERS,
		       "root:x:0:0::/nonexistent:/usr/sbin/nologin\n"
		       "nobody:x:65534" NOWHERE "one:x:64000" NOWHERE "two:x:64001" NOWHERE);
}

static void what_cannot_be_said_is_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{BASE "[export]\npath = /export\n", "no section [client NAME]"},
		{BASE "[export]\npath = /ex port\n" CLIENTS, "letters, digits"},
		{BASE "[export]\npath = /a(rw)\n" CLIENTS, "letters, digits"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_null(write_config(cases[i].text, SHARE_NFS, &err));
		assert_non_null(strstr(err.message, cases[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nfs_has_a_line_for_each_client_and_nobody_else),
		cmocka_unit_test(the_filters_open_one_port_for_each_address),
		cmocka_unit_test(samba_has_a_share_for_each_client),
		cmocka_unit_test(samba_has_a_user_for_each_client),
		cmocka_unit_test(what_cannot_be_said_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
