#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <string.h>

#include "selftest/checks.h"
#include "selftest/tap.h"

void check_accounts(void)
{
	const struct passwd *user;
	const struct spwd *entry;
	char with_password[64] = "", with_shell[64] = "";
	int root_count = 0;

	while ((user = getpwent())) {
		root_count += user->pw_uid == 0;
		if (!strstr(user->pw_shell, "nologin"))
			snprintf(with_shell, sizeof(with_shell), "%s", user->pw_name);
	}
	endpwent();
	while ((entry = getspent())) {
		if (entry->sp_pwdp[0] != '*' && entry->sp_pwdp[0] != '!')
			snprintf(with_password, sizeof(with_password), "%s", entry->sp_namp);
	}
	endspent();
	tap_result(root_count == 1, "one user has uid 0", "%d do", root_count);
	tap_result(!with_password[0], "no account has a password", "%s has", with_password);
	tap_result(!with_shell[0], "no account has a login shell", "%s has", with_shell);
}
