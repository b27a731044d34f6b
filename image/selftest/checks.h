/*
 * What the self-test asserts, one function a subject; each prints its lines through selftest/tap.h.
 *
 * They run as root inside the booted vault and change nothing: what they try to write or load is
 * what must be refused.
 */
#pragma once

void check_root(void);	   /* verified, read-only, nothing on it that has no business there */
void check_volume(void);   /* open, encrypted, and no place for programs */
void check_kernel(void);   /* command line, lockdown, modules, sysctl */
void check_firmware(void); /* Secure Boot, TPM, watchdog */
void check_network(void);  /* listeners, packet filter */
void check_accounts(void); /* no password, one root */
void check_units(void);	   /* masks, failures, the sandbox of each of our daemons */
