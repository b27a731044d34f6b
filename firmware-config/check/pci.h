/*
 * `pci`: are there only cards of classes that a vault may have? Judged from recorded `lspci -n`.
 */
#pragma once

#include "check/finding.h"

int pci_check(const char *allow_path, const char *lspci_path, struct findings *findings,
	      struct error *err) MUST_CHECK;
