/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/pci_chipset.h"

#include "base/bytes.h"
#include "base/num.h"
#include "hypervisor/pci.h"

/* spec: intel-3-mch §5.1 (D0:F0 registers) */
enum {
	HOST_PCIEXBAR = 0x60,
	HOST_PCIEXBAR_ON = 1 << 0,
	HOST_PCIEXBAR_LEN_SHIFT = 1,
	HOST_PCIEXBAR_LEN_MASK = 3,
	HOST_PAM0 = 0x90, /* seven registers */
	HOST_PAMS = 7,
	HOST_SMRAM = 0x9d,
};

/* spec: intel-ich9 §13.1 (D31:F0 registers) */
enum {
	LPC_PMBASE = 0x40,
	LPC_PMBASE_IO = 1 << 0,
	LPC_PMBASE_MASK = 0xff80,
	LPC_ACPI_CNTL = 0x44,
	LPC_ACPI_EN = 1 << 7,
	LPC_PIRQA = 0x60, /* four, and four more at 0x68 */
	LPC_PIRQE = 0x68,
	LPC_PIRQ_OFF = 0x80,
};

static void function_init(struct pci_config *c, uint16_t device, uint32_t class_code)
{
	struct pci_config_conf conf = {
		.vendor = 0x8086,
		.device = device,
		.class_code = class_code,
		.revision = 2,
	};

	must(pci_config_init(c, &conf) == 0);
	/* A bridge of the chipset decodes always; nothing in COMMAND can be switched off. */
	le16_store(c->wmask + PCI_CFG_COMMAND, 0);
	le16_store(c->init + PCI_CFG_COMMAND,
		   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void chipset_host_init(struct pci_config *c)
{
	unsigned i;

	function_init(c, 0x29c0, 0x060000);
	le64_store(c->init + HOST_PCIEXBAR, PCI_ECAM_BASE | HOST_PCIEXBAR_ON);
	le64_store(c->wmask + HOST_PCIEXBAR, 0x0000000ffc000007);
	for (i = 0; i < HOST_PAMS; i++)
		c->wmask[HOST_PAM0 + i] = 0x33;
	c->wmask[HOST_SMRAM] = 0x78;
	pci_config_reset(c);
}

void chipset_lpc_init(struct pci_config *c)
{
	unsigned i;

	function_init(c, 0x2918, 0x060100);
	le32_store(c->init + LPC_PMBASE, PCI_PM_BASE | LPC_PMBASE_IO);
	le32_store(c->wmask + LPC_PMBASE, LPC_PMBASE_MASK);
	c->init[LPC_ACPI_CNTL] = LPC_ACPI_EN;
	c->wmask[LPC_ACPI_CNTL] = 0x87;
	for (i = 0; i < 4; i++) {
		c->init[LPC_PIRQA + i] = LPC_PIRQ_OFF;
		c->init[LPC_PIRQE + i] = LPC_PIRQ_OFF;
		c->wmask[LPC_PIRQA + i] = 0x8f;
		c->wmask[LPC_PIRQE + i] = 0x8f;
	}
	pci_config_reset(c);
}

uint64_t chipset_ecam(const struct pci_config *host, uint64_t *ret_base)
{
	uint64_t v = le64_load(host->data + HOST_PCIEXBAR);
	unsigned code = (unsigned)(v >> HOST_PCIEXBAR_LEN_SHIFT) & HOST_PCIEXBAR_LEN_MASK;
	uint64_t len = (256 * MIB) >> code;

	if (!(v & HOST_PCIEXBAR_ON) || code == HOST_PCIEXBAR_LEN_MASK)
		return 0;
	*ret_base = align_down(v, len);
	return len;
}

uint16_t chipset_pm_base(const struct pci_config *lpc)
{
	if (!(lpc->data[LPC_ACPI_CNTL] & LPC_ACPI_EN))
		return 0;
	return le16_load(lpc->data + LPC_PMBASE) & LPC_PMBASE_MASK;
}
