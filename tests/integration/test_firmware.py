"""binvault-firmware-check: each verb on what is right and on each way of being wrong, and live.

The recordings are made by hand in the form of the vendors' answers; the Redfish service is a stub on
127.0.0.1 that speaks TLS and serves such a recording. No server was touched.
"""

import base64
import hashlib
import http.server
import json
import os
import shutil
import ssl
import struct
import subprocess
import threading
import unittest
import uuid

from tests.integration.lab import PROJECT, program
from tests.integration.lab.pki import Authority
from tests.integration.lab.scratch import Scratch

QUICK = True

DATA = PROJECT / "firmware-config"
REDFISH = DATA / "redfish"
VENDORS = ("dell", "hpe", "supermicro")
IN_ORDER, USAGE, INCOMPLETE, REFUSED, UNAVAILABLE, ATTENTION = 0, 2, 3, 4, 5, 6
GLOBAL_GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
IMAGE_GUID = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
MICROSOFT_GUID = "77fa9abd-0359-4d32-bd60-28f4e78f784b"
OWNER = (DATA / "secureboot" / "owner-guid").read_text().strip()
SHA256_TYPE = "c1c41626-504c-4092-aca9-41f936934328"
X509_TYPE = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"


def check(verb, *options, **environment):
    """(exit status, report or what was said on standard error)."""
    done = subprocess.run([program("binvault-firmware-check"), verb, "--output=json",
                           *map(str, options)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment}, check=False)
    if done.stdout:
        report = json.loads(done.stdout)
        assert report["status"] == done.returncode, done
        return done.returncode, report
    return done.returncode, done.stderr


def read(path):
    return json.loads(path.read_text())


class FirmwareTest(unittest.TestCase):
    """A scratch directory, and assertions about findings."""

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)

    def write(self, name, content):
        path = self.scratch.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def assert_finds(self, answer, status, about, words):
        """The status, and a finding about that object with those words and what to do."""
        self.assertEqual(answer[0], status, answer)
        found = [one for one in answer[1]["findings"]
                 if one["object"] == about and words in one["sentence"]]
        self.assertTrue(found, f"nothing about {about} with '{words}' in {answer[1]}")
        self.assertTrue(found[0]["level"] == "note" or found[0]["do"], found)

    def assert_in_order(self, answer, checked):
        self.assertEqual(answer[0], IN_ORDER, answer)
        self.assertGreaterEqual(answer[1]["checked"], checked)
        self.assertEqual([one for one in answer[1]["findings"] if one["level"] != "note"], [])

    def assert_says(self, answer, status, words):
        self.assertEqual(answer[0], status, answer)
        self.assertIn(words, answer[1])


class RegistryTest(FirmwareTest):
    def registry(self, vendor, change=None, bios=None):
        registry = read(REDFISH / "fixtures" / vendor / "registry.json")
        if change:
            change(registry["RegistryEntries"])
        options = ["--bios", self.write("bios.json", {"Attributes": bios})] if bios else []
        return check("registry", "--intent", REDFISH / "intent.json", "--map",
                     REDFISH / f"map-{vendor}.json", "--registry",
                     self.write("registry.json", registry), *options)

    @staticmethod
    def entry(entries, name):
        return next(one for one in entries["Attributes"] if one["AttributeName"] == name)

    def test_each_map_fits_its_vendors_registry(self):
        for vendor in VENDORS:
            with self.subTest(vendor):
                self.assert_in_order(self.registry(vendor), 11)

    def test_an_attribute_that_is_not_there_is_found(self):
        def without(entries):
            entries["Attributes"].remove(self.entry(entries, "SecureBoot"))
        self.assert_finds(self.registry("dell", without), INCOMPLETE, "secure-boot",
                          "no attribute 'SecureBoot'")

    def test_of_attributes_that_are_all_optional_one_must_be_there(self):
        def without(entries):
            entries["Attributes"].remove(self.entry(entries, "IntelProcVtd"))
        self.assert_finds(self.registry("hpe", without), INCOMPLETE, "iommu",
                          "none of its attributes")

    def test_a_value_that_is_not_allowed_is_found(self):
        def narrow(entries):
            self.entry(entries, "Tpm2Algorithm")["Value"] = [{"ValueName": "SHA1"}]
        self.assert_finds(self.registry("dell", narrow), INCOMPLETE, "tpm-banks",
                          "does not take 'SHA256'; it takes 'SHA1'")

    def test_another_type_is_found(self):
        def retype(entries):
            self.entry(entries, "SecureBoot")["Type"] = "Password"
        self.assert_finds(self.registry("dell", retype), INCOMPLETE, "secure-boot",
                          "of type 'Password'")

    def test_what_cannot_be_set_is_found(self):
        for word in ("ReadOnly", "GrayOut", "Hidden"):
            with self.subTest(word):
                def close(entries, word=word):
                    self.entry(entries, "UsbPorts")[word] = True
                self.assert_finds(self.registry("dell", close), INCOMPLETE, "usb-ports",
                                  f"is {word}")

    def test_a_dependency_that_hides_an_attribute_under_the_intent_is_found(self):
        def hide(entries):
            for one in entries["Dependencies"]:
                if one["DependencyFor"] == "SecureBoot":
                    one["Dependency"]["MapFrom"][0]["MapFromCondition"] = "EQU"
        self.assert_finds(self.registry("dell", hide), INCOMPLETE, "secure-boot",
                          "becomes ReadOnly by the value of 'BootMode'")

    def test_a_dependency_that_forces_a_value_is_found(self):
        def force(entries):
            entries["Dependencies"].append({
                "DependencyFor": "UsbPorts", "Type": "Map", "Dependency": {
                    "MapFrom": [{"MapFromAttribute": "BootMode", "MapFromCondition": "EQU",
                                 "MapFromProperty": "CurrentValue", "MapFromValue": "Uefi"}],
                    "MapToAttribute": "UsbPorts", "MapToProperty": "CurrentValue",
                    "MapToValue": "AllOn"}})
        self.assert_finds(self.registry("dell", force), INCOMPLETE, "usb-ports",
                          "is made 'AllOn' by the value of 'BootMode'")

    def test_a_dependency_on_what_nobody_knows_asks_for_a_recording(self):
        answer = self.registry("hpe", self.depend_on_workload)
        self.assert_finds(answer, ATTENTION, "usb-boot", "depends on 'WorkloadProfile'")
        answer = self.registry("hpe", self.depend_on_workload, {"WorkloadProfile": "Custom"})
        self.assert_in_order(answer, 20)
        answer = self.registry("hpe", self.depend_on_workload, {"WorkloadProfile": "Locked"})
        self.assert_finds(answer, INCOMPLETE, "usb-boot", "by the value of 'WorkloadProfile'")

    @staticmethod
    def depend_on_workload(entries):
        entries["Dependencies"].append({
            "DependencyFor": "UsbBoot", "Type": "Map", "Dependency": {
                "MapFrom": [{"MapFromAttribute": "WorkloadProfile", "MapFromCondition": "EQU",
                             "MapFromProperty": "CurrentValue", "MapFromValue": "Locked"}],
                "MapToAttribute": "UsbBoot", "MapToProperty": "GrayOut", "MapToValue": True}})

    def test_what_has_to_be_set_first_is_said(self):
        answer = self.registry("dell", bios={"BootMode": "Bios"})
        self.assert_finds(answer, IN_ORDER, "secure-boot", "until 'BootMode' is changed")

    def test_what_is_no_registry_and_what_is_no_map_are_refused(self):
        bios = REDFISH / "fixtures" / "dell" / "box" / "bios.json"
        both = ["--intent", REDFISH / "intent.json", "--map", REDFISH / "map-dell.json"]
        self.assert_says(check("registry", *both, "--registry", bios), INCOMPLETE,
                         "this is no AttributeRegistry")
        for change, words in (
                (lambda one: one["bios"].pop("iommu"), "word 'iommu': is not in the map"),
                (lambda one: one["bios"].update(x={"unmapped": "y"}), "'x' is not in the intent"),
                (lambda one: one["bios"].update(tpm={"settings": []}), "word 'tpm': no settings"),
                (lambda one: one.update(sources=[]), "say where the names are from"),
                (lambda one: one.update(format="other"), "is 'other'")):
            mapping = read(REDFISH / "map-dell.json")
            change(mapping)
            self.assert_says(check("registry", "--intent", REDFISH / "intent.json", "--map",
                                   self.write("map.json", mapping), "--registry", bios),
                             INCOMPLETE, words)


class DriftTest(FirmwareTest):
    def box(self, vendor="dell"):
        directory = self.scratch.path / f"box-{uuid.uuid4()}"
        shutil.copytree(REDFISH / "fixtures" / vendor / "box", directory)
        return directory

    def drift(self, directory, vendor="dell"):
        return check("drift", "--intent", REDFISH / "intent.json", "--map",
                     REDFISH / f"map-{vendor}.json", "--recorded", directory)

    def change(self, directory, name, change):
        content = read(directory / name)
        change(content)
        (directory / name).write_text(json.dumps(content))

    def test_a_box_as_intended_is_in_order(self):
        for vendor in VENDORS:
            with self.subTest(vendor):
                self.assert_in_order(self.drift(self.box(vendor), vendor), 20)

    def test_each_attribute_that_drifts_is_found(self):
        for name, value, word in (("SecureBoot", "Disabled", "secure-boot"),
                                  ("PxeDev3EnDis", "Enabled", "network-boot"),
                                  ("UsbPorts", "AllOn", "usb-ports"),
                                  ("Tpm2Algorithm", "SHA1", "tpm-banks")):
            with self.subTest(name):
                box = self.box()
                self.change(box, "bios.json",
                            lambda one, n=name, v=value: one["Attributes"].update({n: v}))
                self.assert_finds(self.drift(box), ATTENTION, word, f"'{name}' is '{value}'")

    def test_a_suffixed_attribute_that_drifts_is_found(self):
        box = self.box("supermicro")
        self.change(box, "bios.json",
                    lambda one: one["Attributes"].update({"CSMSupport_0015": "Enabled"}))
        self.assert_finds(self.drift(box, "supermicro"), ATTENTION, "boot-mode",
                          "'CSMSupport_0015' is 'Enabled'")

    def test_each_standard_property_that_drifts_is_found(self):
        for name, change, about in (
                ("secure-boot.json", {"SecureBootMode": "SetupMode"}, "SecureBoot.SecureBootMode"),
                ("secure-boot.json", {"SecureBootEnable": False}, "SecureBoot.SecureBootEnable"),
                ("system.json", {"Boot": {"BootSourceOverrideEnabled": "Once"}},
                 "ComputerSystem.Boot.BootSourceOverrideEnabled"),
                ("network-protocol.json", {"IPMI": {"ProtocolEnabled": True}},
                 "ManagerNetworkProtocol.IPMI.ProtocolEnabled")):
            with self.subTest(about):
                box = self.box()
                self.change(box, name, lambda one, change=change: one.update(change))
                self.assert_finds(self.drift(box), ATTENTION, about, "and must be")

    def test_what_was_not_recorded_is_incomplete(self):
        for name, about in (("bios.json", "Bios"), ("secure-boot.json", "SecureBoot"),
                            ("system.json", "ComputerSystem"),
                            ("network-protocol.json", "ManagerNetworkProtocol")):
            with self.subTest(name):
                box = self.box()
                (box / name).unlink()
                self.assert_finds(self.drift(box), INCOMPLETE, about, "was not recorded")

    def test_an_attribute_that_the_box_does_not_show_is_incomplete(self):
        box = self.box()
        self.change(box, "bios.json", lambda one: one["Attributes"].pop("TpmSecurity"))
        self.assert_finds(self.drift(box), INCOMPLETE, "tpm", "shows no attribute 'TpmSecurity'")

    def test_the_map_of_another_vendor_is_refused(self):
        self.assert_finds(self.drift(self.box("hpe"), "dell"), INCOMPLETE,
                          "ComputerSystem.Manufacturer", "the box says 'HPE'")

    def test_a_torn_recording_is_named(self):
        box = self.box()
        (box / "bios.json").write_text('{"Attributes": {')
        self.assert_says(self.drift(box), INCOMPLETE, "bios.json': byte")


class Stub(http.server.BaseHTTPRequestHandler):
    """A Redfish service of one box; the server object holds what it serves."""

    def do_GET(self):  # the base class wants this name
        box = self.server
        expected = "Basic " + base64.b64encode(b"checker:secret").decode()
        path = self.path.rstrip("/")
        box.asked.append((self.command, path, self.headers.get("Authorization")))
        if self.headers.get("Authorization") != expected:
            self.answer(401, b"{}")
        elif path in box.redirects:
            self.send_response(307)
            self.send_header("Location", box.redirects[path])
            self.end_headers()
        elif path in box.resources:
            content = box.resources[path]
            self.answer(200, content if isinstance(content, bytes)
                        else json.dumps(content).encode())
        else:
            self.answer(404, b"{}")

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def link(path):
    return {"@odata.id": path}


def service_of(box):
    """What a service answers, by path, that serves the recording in the directory `box`."""
    root, managers = "/redfish/v1", "/redfish/v1/Managers"
    system = read(box / "system.json")
    resources = {
        root: {"Systems": link(f"{root}/Systems"), "Managers": link(managers),
               "Registries": link(f"{root}/Registries")},
        f"{root}/Systems": {"Members": [link(system["@odata.id"])]},
        system["@odata.id"]: system,
        managers: {"Members": [link(f"{managers}/1")]},
        f"{managers}/1": {"NetworkProtocol": link(f"{managers}/1/NetworkProtocol")},
    }
    for name, path in (("bios", system["Bios"]["@odata.id"]),
                       ("secure-boot", system["SecureBoot"]["@odata.id"]),
                       ("network-protocol", f"{managers}/1/NetworkProtocol")):
        if (box / f"{name}.json").exists():
            resources[path] = (box / f"{name}.json").read_bytes()
    if (box.parent / "registry.json").exists():
        registry = read(box / "bios.json")["AttributeRegistry"]
        resources[f"{root}/Registries"] = {"Members": [link(f"{root}/Registries/Base.1.18"),
                                                       link(f"{root}/Registries/{registry}")]}
        resources[f"{root}/Registries/{registry}"] = {"Location": [
            {"Language": "ja", "Uri": f"{root}/registrystore/ja/{registry}"},
            {"Language": "en", "Uri": f"{root}/registrystore/en/{registry}"}]}
        resources[f"{root}/registrystore/en/{registry}"] = read(box.parent / "registry.json")
    return resources


class LiveTest(DriftTest):
    """The same questions to a service over HTTPS: all tests of the recordings, and its own."""

    about = "live"

    @classmethod
    def setUpClass(cls):
        scratch = Scratch()
        cls.addClassCleanup(scratch.close)
        cls.authority = Authority(scratch.directory("pki"))

    def setUp(self):
        super().setUp()
        self.password = self.write("password", "secret\n")
        self.password.chmod(0o600)

    def serve(self, box=REDFISH / "fixtures" / "dell" / "box", certificate=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
        server.resources, server.redirects, server.asked = service_of(box), {}, []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = certificate or self.authority.server
        context.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # clients that refuse us
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def service(self, server, host="localhost", authority=None, **environment):
        return self.live("drift", f"https://{host}:{server.server_address[1]}", authority,
                         "--intent", REDFISH / "intent.json", "--map", REDFISH / "map-dell.json",
                         **environment)

    def live(self, verb, url, authority, *options, **environment):
        return check(verb, *options, "--service", url, "--authority",
                     authority or self.authority.certificate, "--user", "checker",
                     "--password-file", self.password, **environment)

    def drift(self, directory, vendor="dell"):
        if not (directory / "system.json").exists():
            return super().drift(directory, vendor)  # no service is without a system
        url = f"https://127.0.0.1:{self.serve(directory).server_address[1]}"
        return self.live("drift", url, None, "--intent", REDFISH / "intent.json", "--map",
                         REDFISH / f"map-{vendor}.json")

    def test_a_torn_recording_is_named(self):
        box = self.box()
        (box / "bios.json").write_text('{"Attributes": {')
        self.assert_says(self.drift(box), INCOMPLETE,
                         "'/redfish/v1/Systems/System.Embedded.1/Bios': byte")

    def test_a_service_is_recorded_whole_and_only_read(self):
        for vendor in VENDORS:
            with self.subTest(vendor):
                to = self.scratch.directory(f"to-{vendor}")
                server = self.serve(REDFISH / "fixtures" / vendor / "box")
                url = f"https://localhost:{server.server_address[1]}/"
                self.assert_in_order(self.live("record", url, None, "--to", to), 5)
                for name in ("bios", "system", "secure-boot", "network-protocol"):
                    self.assertEqual(read(to / f"{name}.json"),
                                     read(REDFISH / "fixtures" / vendor / "box" / f"{name}.json"))
                self.assert_in_order(
                    check("registry", "--intent", REDFISH / "intent.json", "--map",
                          REDFISH / f"map-{vendor}.json", "--registry", to / "registry.json",
                          "--bios", to / "bios.json"), 11)
                self.assertEqual({method for method, _, _ in server.asked}, {"GET"})
                answer = self.live("record", url, None, "--to", to)
                self.assert_says(answer, USAGE, "File exists")

    def test_a_certificate_that_does_not_prove_the_service_gets_no_password(self):
        good = self.serve()
        self.assert_in_order(self.service(good), 20)
        for server, host, authority in (
                (self.serve(certificate=self.authority.other().server), "localhost", None),
                (self.serve(certificate=self.authority.wrong_host_server()), "localhost", None),
                (self.serve(certificate=self.authority.expired_server()), "localhost", None),
                (self.serve(), "localhost", self.authority.other().certificate)):
            self.assert_says(self.service(server, host, authority), REFUSED,
                             "certificate is not accepted")
            self.assertEqual(server.asked, [])

    def test_a_wrong_password_is_refused(self):
        self.password.write_text("guess\n")
        self.assert_says(self.service(self.serve()), REFUSED, "401")

    def test_a_password_that_others_can_read_is_not_used(self):
        self.password.chmod(0o644)
        server = self.serve()
        self.assert_says(self.service(server), USAGE, "chmod 600")
        self.assertEqual(server.asked, [])

    def test_a_service_that_is_away_is_unavailable(self):
        server = self.serve()
        server.shutdown()
        server.server_close()
        self.assert_says(self.service(server), UNAVAILABLE, "cannot be fetched")

    def test_neither_redirects_nor_foreign_links_nor_a_proxy_are_followed(self):
        server, elsewhere = self.serve(), self.serve()
        away = f"https://localhost:{elsewhere.server_address[1]}/redfish/v1/Systems"
        server.redirects["/redfish/v1/Systems"] = away
        self.assert_says(self.service(server), INCOMPLETE, "elsewhere")
        server.redirects.clear()
        for path in (away, "/redfish/v1/../../etc", "/other", "/redfish/v1/Systems?x=1"):
            server.resources["/redfish/v1"]["Systems"] = {"@odata.id": path}
            self.assert_says(self.service(server), INCOMPLETE, "does not stay in /redfish/v1")
        self.assertEqual(elsewhere.asked, [])
        proxy = f"http://127.0.0.1:{elsewhere.server_address[1]}"
        self.assert_in_order(self.service(self.serve(), https_proxy=proxy, ALL_PROXY=proxy), 20)
        self.assertEqual(elsewhere.asked, [])

    def test_only_https_and_only_a_host_is_taken(self):
        for url in ("http://localhost", "https://user:pass@localhost", "https://localhost/other",
                    "https://", "file:///etc/passwd"):
            answer = self.live("record", url, None, "--to", self.scratch.path)
            self.assertEqual(answer[0], USAGE, answer)

    def test_an_answer_without_end_is_cut_off(self):
        server = self.serve()
        server.resources["/redfish/v1"] = b" " * (17 << 20)
        self.assert_says(self.service(server), INCOMPLETE, "is more than")

    def test_of_several_systems_one_must_be_named(self):
        server = self.serve()
        members = server.resources["/redfish/v1/Systems"]["Members"]
        members.append({"@odata.id": "/redfish/v1/Systems/Other"})
        self.assert_says(self.service(server), USAGE, "has 2 systems")
        url = f"https://localhost:{server.server_address[1]}"
        both = ["--intent", REDFISH / "intent.json", "--map", REDFISH / "map-dell.json"]
        self.assert_in_order(self.live("drift", url, None, *both, "--system",
                                       "System.Embedded.1"), 20)
        self.assert_says(self.live("drift", url, None, *both, "--system", "Third"), USAGE,
                         "no system 'Third'")


class SecurityLevelTest(FirmwareTest):
    def hsi(self, change=None, name="intel-hsi3"):
        security = read(DATA / "fwupd" / "fixtures" / f"{name}.json")
        if change:
            change(security)
        return check("hsi", "--targets", DATA / "fwupd" / "hsi-targets.json", "--security",
                     self.write("security.json", security))

    def test_a_platform_that_reaches_the_level_is_in_order(self):
        self.assert_in_order(self.hsi(), 25)

    def test_what_does_not_reach_it_is_found(self):
        answer = self.hsi(name="intel-no-iommu")
        self.assert_finds(answer, INCOMPLETE, "Iommu", "is 'not-found'")
        self.assert_finds(answer, INCOMPLETE, "Tpm.ReconstructionPcr0", "without success")
        self.assert_finds(answer, INCOMPLETE, "Uefi.Pk", "is not in the recording")

    def test_a_result_of_its_own_vendor_may_not_be_absent(self):
        def without(security):
            security["HostSecurityAttributes"] = [
                one for one in security["HostSecurityAttributes"]
                if not one["AppstreamId"].endswith("IntelBootguard.Verified")]
        self.assert_finds(self.hsi(without), INCOMPLETE, "IntelBootguard.Verified",
                          "is not in the recording")

    def test_what_was_replaced_does_not_count(self):
        def obsolete(security):
            for one in security["HostSecurityAttributes"]:
                if one["AppstreamId"].endswith("Uefi.SecureBoot"):
                    one["Flags"].append("obsoleted")
        self.assert_finds(self.hsi(obsolete), INCOMPLETE, "Uefi.SecureBoot", "not in the rec")

    def test_what_is_no_recording_is_refused(self):
        self.assert_says(self.hsi(lambda one: one.pop("HostSecurityAttributes")), INCOMPLETE,
                         "no output of `fwupdmgr security --json`")


class CommandLineTest(FirmwareTest):
    TABLE = DATA / "platform" / "kernel-cmdline.tsv"

    def words(self):
        lines = [line.split("\t") for line in self.TABLE.read_text().splitlines()
                 if line and not line.startswith("#")]
        return [word.replace("roothash=…", "roothash=" + "5a" * 32) for word, _, _ in lines]

    def cmdline(self, words, table=None):
        return check("cmdline", "--table", table or self.TABLE, "--cmdline",
                     self.write("cmdline", " ".join(words) + "\n"))

    def test_a_line_of_all_words_is_in_order(self):
        self.assert_in_order(self.cmdline(self.words()), 25)

    def test_each_word_that_is_missing_is_found(self):
        words = self.words()
        for word in words[1:]:
            self.assert_finds(self.cmdline([one for one in words if one != word]), ATTENTION, word,
                              "is not on the command line")

    def test_a_word_without_a_reason_is_found(self):
        for word in ("init=/bin/sh", "systemd.debug_shell", "lockdown=none", "roothashes=1"):
            self.assert_finds(self.cmdline([*self.words(), word]), ATTENTION, word, "no reason")

    def test_a_word_that_stands_twice_and_a_bad_root_hash_are_found(self):
        self.assert_finds(self.cmdline([*self.words(), "pti=on"]), ATTENTION, "pti=on", "2 times")
        words = self.words()[1:]
        for value in ("", "5a", "5A" * 32, "5a" * 33):
            answer = self.cmdline([f"roothash={value}", *words])
            self.assertEqual(answer[0], ATTENTION, answer)

    def test_a_table_that_is_torn_is_named_with_its_line(self):
        for line, words in (("ro\tonly two", "line 1: 3 filled fields"),
                            ("ro\t\treason", "line 1: 3 filled fields"),
                            ("ro\ta\tb\tc", "line 1: 3 filled fields"),
                            ("two words\ta\tb", "is not one word")):
            table = self.write("table", line + "\n")
            self.assert_says(self.cmdline(["ro"], table), INCOMPLETE, words)


class PciTest(FirmwareTest):
    def pci(self, *lines):
        return check("pci", "--allow", DATA / "platform" / "pci-allow.tsv", "--lspci",
                     self.write("lspci", "".join(line + "\n" for line in lines)))

    def test_cards_that_a_vault_may_have_are_in_order(self):
        self.assert_in_order(self.pci("00:00.0 0600: 8086:09a2 (rev 04)",
                                      "0000:17:00.0 0200: 8086:159b (rev 02)",
                                      "65:00.0 0108: 144d:a80a"), 3)

    def test_a_card_of_another_class_is_found(self):
        self.assert_finds(self.pci("17:00.0 0200: 8086:159b", "b3:00.0 0280: 8086:2723"),
                          ATTENTION, "b3:00.0", "class 0280")

    def test_what_is_no_list_is_refused(self):
        self.assert_says(self.pci("Ethernet controller"), INCOMPLETE, "no line of `lspci -n`")
        self.assert_says(self.pci(), INCOMPLETE, "lists no device")


def signature_list(kind, owner, *entries):
    size = 16 + len(entries[0])
    return (uuid.UUID(kind).bytes_le + struct.pack("<III", 28 + size * len(entries), 0, size)
            + b"".join(uuid.UUID(owner).bytes_le + one for one in entries))


class SecureBootTest(FirmwareTest):
    """Keys are made by secureboot/make-keys, outside the project; foreign ones by openssl."""

    @classmethod
    def setUpClass(cls):
        scratch = Scratch()
        cls.addClassCleanup(scratch.close)
        cls.keys = scratch.path / "keys"
        subprocess.run([DATA / "secureboot" / "make-keys", cls.keys, "3650"], check=True,
                       stdout=subprocess.DEVNULL)

    def setUp(self):
        super().setUp()
        self.box = self.scratch.directory("box")
        for name in ("PK", "KEK", "db", "dbx"):
            self.put(name, (self.keys / f"{name}.esl").read_bytes())
        self.put_flags()

    def put(self, name, content, attributes=0x27):
        guid = IMAGE_GUID if name.startswith("db") else GLOBAL_GUID
        (self.box / f"{name}-{guid}").write_bytes(struct.pack("<I", attributes) + content)

    def put_flags(self, secure_boot=1, setup_mode=0):
        self.put("SecureBoot", bytes([secure_boot]), 6)
        self.put("SetupMode", bytes([setup_mode]), 6)

    def secureboot(self, *options, variables=None, test_keys=True, dbx_list=None, roms=None):
        secureboot = DATA / "secureboot"
        return check("secureboot", "--variables", variables or self.box, "--owner",
                     secureboot / "owner-guid", "--dbx-list", dbx_list or secureboot / "dbx-list.tsv",
                     "--option-roms", roms or secureboot / "option-roms.tsv",
                     *(["--test-keys"] if test_keys else []), *options)

    def certificate(self, subject, bits=2048):
        key, der = self.scratch.path / "x.key", self.scratch.path / "x.der"
        subprocess.run(["openssl", "req", "-new", "-x509", "-newkey", f"rsa:{bits}", "-noenc",
                        "-days", "3650", "-subj", subject, "-keyout", key, "-outform", "DER",
                        "-out", der], check=True, capture_output=True)
        return der.read_bytes()

    def test_a_box_with_our_keys_is_in_order(self):
        self.assert_in_order(self.secureboot("--expected", self.keys), 9)

    def test_lists_are_checked_before_they_are_enrolled(self):
        answer = self.secureboot(variables=self.keys)
        self.assert_finds(answer, IN_ORDER, "SecureBoot", "these are lists, not a box")

    def test_test_keys_are_found_on_a_box_that_shall_have_none(self):
        self.assert_finds(self.secureboot(test_keys=False), ATTENTION, "db", "is a test key")

    def test_secure_boot_off_and_setup_mode_are_found(self):
        self.put_flags(secure_boot=0)
        self.assert_finds(self.secureboot(), ATTENTION, "SecureBoot", "is 0 and must be 1")
        self.put_flags(setup_mode=1)
        self.assert_finds(self.secureboot(), ATTENTION, "SetupMode", "is 1 and must be 0")
        (self.box / f"SetupMode-{GLOBAL_GUID}").unlink()
        self.assert_finds(self.secureboot(), INCOMPLETE, "SetupMode", "opening")

    def test_a_variable_that_is_missing_or_empty_is_found(self):
        self.put("PK", b"")
        self.assert_finds(self.secureboot(), ATTENTION, "PK", "holds 0 certificates")
        (self.box / f"PK-{GLOBAL_GUID}").unlink()
        self.assert_finds(self.secureboot(), INCOMPLETE, "PK", "is not in the dump")

    def test_microsofts_keys_are_found_by_owner_and_by_name(self):
        der = self.certificate("/O=Microsoft Corporation/CN=Microsoft Corporation UEFI CA 2011")
        ours = (self.keys / "db.esl").read_bytes()
        self.put("db", ours + signature_list(X509_TYPE, MICROSOFT_GUID, der))
        answer = self.secureboot()
        self.assert_finds(answer, ATTENTION, "db", "is Microsoft's")
        self.assert_finds(answer, ATTENTION, "db", "(Microsoft), not to us")

    def test_another_owner_a_weak_key_and_one_key_in_two_roles_are_found(self):
        der = self.certificate("/CN=Somebody", bits=1024)
        self.put("KEK", signature_list(X509_TYPE, str(uuid.uuid4()), der))
        answer = self.secureboot()
        self.assert_finds(answer, ATTENTION, "KEK", "not to us")
        self.assert_finds(answer, ATTENTION, "KEK", "a key of 1024 bits")
        self.put("KEK", (self.keys / "PK.esl").read_bytes())
        self.assert_finds(self.secureboot(), ATTENTION, "KEK", "is in PK as well")

    def test_the_end_of_a_certificate_is_seen_ahead(self):
        self.assert_finds(self.secureboot("--now", "2036-09-01 00:00:00"), ATTENTION, "PK",
                          "within 180 days")
        self.assert_finds(self.secureboot("--now", "2040-01-01 00:00:00"), ATTENTION, "PK",
                          "ended on")

    def test_a_variable_that_is_not_what_was_enrolled_is_found(self):
        der = self.certificate("/O=Binvault/CN=Second")
        self.put("db", (self.keys / "db.esl").read_bytes()
                 + signature_list(X509_TYPE, OWNER, der))
        self.assert_in_order(self.secureboot(), 9)
        self.assert_finds(self.secureboot("--expected", self.keys), ATTENTION, "db",
                          "not byte for byte")

    def test_only_listed_option_roms_may_start(self):
        rom = hashlib.sha256(b"an option ROM").digest()
        self.put("db", (self.keys / "db.esl").read_bytes()
                 + signature_list(SHA256_TYPE, OWNER, rom))
        self.assert_finds(self.secureboot(), ATTENTION, "db", "not in the option ROM list")
        roms = self.write("roms", f"{rom.hex()}\tHBA\tdata disks\n")
        self.assert_in_order(self.secureboot(roms=roms), 9)

    def test_each_revocation_of_the_list_must_be_there(self):
        old = hashlib.sha256(b"release 1").digest()
        dbx_list = self.write("dbx-list", f"{old.hex()}\trelease 1\tCVE\n")
        self.assert_finds(self.secureboot(dbx_list=dbx_list), ATTENTION, "dbx",
                          "release 1 is not revoked")
        self.put("dbx", signature_list(SHA256_TYPE, str(uuid.uuid4()), bytes(32), old))
        self.assert_in_order(self.secureboot(dbx_list=dbx_list), 11)
        self.assert_says(self.secureboot(dbx_list=self.write("dbx-list", "12\ta\tb\n")),
                         INCOMPLETE, "line 1")

    def test_bytes_that_are_no_list_are_found_wherever_they_are_cut(self):
        good = (self.keys / "db.esl").read_bytes()
        for content, words in ((good[:-1], "says"),
                               (good + b"x", "a signature list begins with 28"),
                               (good[:40], "says"),
                               (signature_list(X509_TYPE, OWNER, bytes(700)), "no certificate")):
            self.put("db", content)
            self.assert_finds(self.secureboot(), INCOMPLETE, "db", words)

    def test_a_variable_that_is_not_authenticated_is_found(self):
        self.put("db", (self.keys / "db.esl").read_bytes(), attributes=7)
        self.assert_finds(self.secureboot(), INCOMPLETE, "db", "no authenticated variable")

    def test_keys_are_never_made_inside_a_work_tree(self):
        inside = PROJECT / "build" / "keys-of-a-test"
        done = subprocess.run([DATA / "secureboot" / "make-keys", inside], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("inside a git work tree", done.stderr)
        self.assertFalse(inside.exists())
        listed = subprocess.run(["git", "-C", PROJECT, "grep", "-l", "-e", "PRIVATE KEY-----", "--",
                                 "firmware-config"], capture_output=True, text=True, check=False)
        self.assertEqual(listed.stdout, "")


class SealTest(FirmwareTest):
    POLICY = DATA / "tpm" / "pcr-policy.json"

    def tpm(self, *options, policy=None):
        return check("tpm", "--policy", policy or self.POLICY, *options)

    def changed(self, change):
        policy = read(self.POLICY)
        change(policy)
        return self.tpm(policy=self.write("policy.json", policy))

    @staticmethod
    def metadata():
        """As `cryptsetup luksDump --dump-json-metadata` shows a volume of systemd-cryptenroll."""
        slot = {"type": "luks2", "key_size": 64}
        return {"keyslots": {"1": slot, "2": slot}, "tokens": {
            "0": {"type": "systemd-tpm2", "keyslots": ["1"], "tpm2-blob": "", "tpm2-pcrs": [7, 12],
                  "tpm2-pcr-bank": "sha256", "tpm2_pubkey_pcrs": [11], "tpm2_pubkey": ""},
            "1": {"type": "systemd-recovery", "keyslots": ["2"]}}}

    def luks(self, change=None):
        metadata = self.metadata()
        if change:
            change(metadata)
        return self.tpm("--luks", self.write("luks.json", metadata))

    def test_the_policy_and_a_volume_sealed_to_it_are_in_order(self):
        self.assert_in_order(self.tpm(), 10)
        self.assert_in_order(self.luks(), 15)

    def test_a_policy_that_is_loosened_is_found(self):
        for change, about, words in (
                (lambda one: one["literal"].pop(1), "literal", "PCR 12 is not bound"),
                (lambda one: one["literal"].append({"pcr": 0, "reason": "x"}), "literal",
                 "PCR 0 moves"),
                (lambda one: one["literal"].append({"pcr": 11, "reason": "x"}), "literal",
                 "PCR 11 changes"),
                (lambda one: one["signed"].update(pcr=9), "signed", "only PCR 11"),
                (lambda one: one.update(bank="sha1"), "bank", "'sha1'"),
                (lambda one: one["recovery"].update(threshold=1), "recovery", "one person alone"),
                (lambda one: one["recovery"].update(threshold=5), "recovery", "no share may")):
            self.assert_finds(self.changed(change), ATTENTION, about, words)
        self.assert_finds(self.changed(lambda one: one["left-out"].pop()), INCOMPLETE, "left-out",
                          "PCR 4 is neither")
        self.assert_finds(self.changed(lambda one: one["signed"].update(phases=[])), INCOMPLETE,
                          "signed", "without phases")

    def test_a_policy_that_is_malformed_is_refused(self):
        for change, words in (
                (lambda one: one.pop("recovery"), "'recovery' is missing"),
                (lambda one: one["recovery"].update(shares=17), "cannot be"),
                (lambda one: one["recovery"].update(threshold=6), "6 of 5 shares"),
                (lambda one: one["literal"][0].pop("reason"), "'reason' is missing"),
                (lambda one: one["literal"].append({"pcr": 24, "reason": "x"}), "no register"),
                (lambda one: one["literal"].append({"pcr": 7, "reason": "x"}), "PCR 7 twice")):
            self.assert_says(self.changed(change), INCOMPLETE, words)

    def test_a_volume_that_is_sealed_otherwise_is_found(self):
        def token(number, **fields):
            return lambda one: one["tokens"][number].update(fields)
        for change, about, words in (
                (token("0", **{"tpm2-pcrs": [7]}), "systemd-tpm2", "other registers"),
                (token("0", **{"tpm2-pcrs": [0, 7, 12]}), "systemd-tpm2", "other registers"),
                (token("0", tpm2_pubkey_pcrs=[]), "systemd-tpm2", "no signature over PCR 11"),
                (token("0", **{"tpm2-pcr-bank": "sha1"}), "systemd-tpm2", "bank 'sha1'"),
                (lambda one: one["tokens"].pop("0"), "systemd-tpm2", "does not open"),
                (lambda one: one["tokens"].pop("1"), "systemd-recovery", "no recovery key"),
                (lambda one: one["tokens"].update({"2": one["tokens"]["0"]}), "systemd-tpm2",
                 "an old seal"),
                (lambda one: one["keyslots"].update({"0": {}}), "keyslots", "slot 0 belongs to")):
            self.assert_finds(self.luks(change), ATTENTION, about, words)
        self.assert_says(self.luks(lambda one: one.pop("tokens")), INCOMPLETE, "LUKS2 metadata")

    def sign(self, pcr11, name="pcr"):
        """tpm2-pcr-signature.json for a value of PCR 11, made without the code under test."""
        key, public = self.scratch.path / f"{name}.key", self.scratch.path / f"{name}.pub"
        if not key.exists():
            subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", key], check=True,
                           capture_output=True)
            subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
        selection = struct.pack(">IIHB", 0x17f, 1, 0x000b, 3) + bytes([0, 8, 0])
        policy = hashlib.sha256(bytes(32) + selection + hashlib.sha256(pcr11).digest()).digest()
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=policy,
                                   check=True, capture_output=True).stdout
        return {"sha256": [{"pcrs": [11], "pkfp": "00" * 32, "pol": policy.hex(),
                            "sig": base64.b64encode(signature).decode()}]}

    def signature(self, content, pcr11, public="pcr.pub"):
        return self.tpm("--signature", self.write("signature.json", content), "--public-key",
                        self.scratch.path / public, "--pcr11", pcr11.hex())

    def test_the_signature_of_a_release_is_verified(self):
        pcr11 = hashlib.sha256(b"release 2").digest()
        signed = self.sign(pcr11)
        self.assert_in_order(self.signature(signed, pcr11), 11)
        self.assert_finds(self.signature(signed, bytes(32)), ATTENTION, "tpm2-pcr-signature.json",
                          "no entry of this key is for the predicted")
        foreign = self.sign(pcr11, "foreign")
        self.assert_finds(self.signature(foreign, pcr11), ATTENTION, "tpm2-pcr-signature.json",
                          "not signed by this key")
        signed["sha256"][0]["pcrs"] = [4]
        self.assert_finds(self.signature(signed, pcr11), ATTENTION, "tpm2-pcr-signature.json",
                          "other registers")
        signed["sha256"][0].pop("sig")
        self.assert_finds(self.signature(signed, pcr11), INCOMPLETE, "tpm2-pcr-signature.json",
                          "'sig' is missing")


class UsageTest(FirmwareTest):
    def test_a_wrong_command_line_says_what_is_right(self):
        for options, words in ((["nothing"], "no verb 'nothing'"),
                               (["hsi", "--targets", "x"], "hsi needs --security"),
                               (["hsi", "--target", "x"], "does not know '--target'"),
                               (["hsi", "--targets"], "--targets needs a value"),
                               (["secureboot", "--test-keys=1"], "takes no value"),
                               (["drift", "--intent", REDFISH / "intent.json", "--map",
                                 REDFISH / "map-dell.json"], "either --recorded DIR or --serv"),
                               (["record", "--to", "x", "--service", "https://x"],
                                "needs --service, --authority")):
            self.assert_says(check(*options), USAGE, words)

    def test_a_file_that_is_not_there_is_named(self):
        self.assert_says(check("hsi", "--targets", "/nowhere", "--security", "/nowhere"), USAGE,
                         "opening '/nowhere'")

    def test_the_words_for_people_end_with_a_verdict(self):
        done = subprocess.run([program("binvault-firmware-check"), "tpm", "--policy",
                               SealTest.POLICY], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "tpm: 10 checked, 0 findings: in order\n")
