#include "provision/credential.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "config/place.h"
#include "provision/tool.h"

#define PROGRAM "/usr/bin/systemd-creds"

int credential_seal(const char *name, const char *from, const char *to, struct error *err)
{
	char name_option[128], temporary[256];
	const char *const arguments[] = {PROGRAM,
					 "encrypt",
					 "--with-key=" CREDENTIAL_KEY,
					 "--tpm2-pcrs=" CREDENTIAL_PCRS,
					 name_option,
					 from,
					 temporary,
					 NULL};

	snprintf(name_option, sizeof(name_option), "--name=%s", name);
	snprintf(temporary, sizeof(temporary), "%s.new", to);
	unlink(temporary);
	if (tool_run(&(struct tool){.arguments = arguments}, err) < 0)
		return error_prefix(err, "sealing '%s' to the TPM", name);
	sync();
	if (rename(temporary, to) < 0)
		return error_set_errno(err, ERROR_IO, errno, "%s", to);
	sync();
	return 0;
}

int credential_open(const char *name, const char *from, const char *to, struct error *err)
{
	char name_option[128];
	const char *const arguments[] = {PROGRAM, "decrypt", name_option, from, "-", NULL};

	snprintf(name_option, sizeof(name_option), "--name=%s", name);
	if (tool_run(&(struct tool){.arguments = arguments, .output = to}, err) == 0)
		return 0;
	unlink(to);
	return err->code;
}

void credential_drop_in(const char *const *values, size_t count, const char *directory,
			char ret_text[CREDENTIAL_TEXT_SIZE])
{
	int used = snprintf(ret_text, CREDENTIAL_TEXT_SIZE, "[Service]\n");

	for (size_t i = 0; i < count; i++) {
		const char *name = place_credential(values[i]);

		ASSERT(used < CREDENTIAL_TEXT_SIZE);
		if (name)
			used += snprintf(ret_text + used, CREDENTIAL_TEXT_SIZE - (size_t)used,
					 "LoadCredentialEncrypted=%s:%s%s\n", name, directory,
					 name);
	}
	ASSERT(used < CREDENTIAL_TEXT_SIZE);
}
