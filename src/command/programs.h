/* Where the daemons' executables lie, and as whom they are started. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

/* Beside this program (a build), or in ../libexec/binvault (installed). */
int programs_find(char ret_directory[static PATH_MAX], struct error *err) MUST_CHECK;

/*
 * As root each daemon becomes a user of its own; otherwise all are the caller. ERROR_USAGE if we
 * are root and a user does not exist.
 */
int programs_switch_users(bool *ret_switch, struct error *err) MUST_CHECK;

/* With [siem] there is one daemon more, and as root its user must exist too. */
int programs_check_forwarder(const struct config *config, struct error *err) MUST_CHECK;

/* The ERROR_* that the status of waitpid() stands for: error_exit_status(), backwards. */
int programs_error(int status);
