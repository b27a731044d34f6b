/* Lines of SHOW GRANTS, the first byte the flavour: what is understood is judged and revoked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pull/grants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct grants *grants, enum flavour flavour, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *statements = json_array();
	struct grants *rest = NULL;

	grants_revoke(grants, flavour, statements);
	(void)grants_missing(grants, flavour);
	for (size_t i = 0; i < grants_count(grants); i++) {
		const struct grant *grant = grants_at(grants, i);

		/* A set has its own members, and a name is a name, whatever its quotes. */
		if (!grants_have(grants, grant) || !grant->name[0] || !grant->grantee[0])
			abort();
		(void)grant_name_is(grant->grantee, "archive");
	}
	if (grants_subtract(grants, grants, &rest, err) < 0 || grants_count(rest) != 0)
		abort();
	grants_free(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum flavour flavour = size > 0 && (data[0] & 1) ? FLAVOUR_MYSQL : FLAVOUR_MARIADB;
	struct grants *grants = grants_new();
	char *text = malloc(size + 1), *rest, *line;
	struct error err = {0};

	if (!text)
		abort();
	if (size > 0)
		memcpy(text, data + 1, size - 1);
	text[size > 0 ? size - 1 : 0] = '\0';
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		if (grants_add(grants, line, NULL, &err) < 0 && !err.message[0])
			abort();
	}
	judge(grants, flavour, &err);
	grants_free(grants);
	free(text);
	return 0;
}
