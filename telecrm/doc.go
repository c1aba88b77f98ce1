// Package telecrm is a client of TeleCRM's lead API.
//
// It speaks the Sync API (https://docs.telecrm.in/sync-api/overview), whose
// answers say what became of a lead, and turns every possible answer, broken
// and missing ones too, into one [Verdict] that a caller can act on:
//
//	client, err := telecrm.New(telecrm.Config{
//		Token:        telecrm.Token(os.Getenv("TELECRM_TOKEN")),
//		EnterpriseID: "66aa00bb11cc22dd33ee44ff",
//	})
//	if err != nil {
//		return err
//	}
//	defer client.CloseIdleConnections()
//
//	answer := client.CreateLead(ctx, telecrm.Lead{
//		Fields: map[string]any{"phone": "918123456789", "name": "Ravi Menon"},
//	})
//	switch answer.Verdict {
//	case telecrm.Created: // answer.LeadID, answer.Remarks
//	case telecrm.Duplicate: // the identifier is taken
//	case telecrm.Rejected: // this lead can never be created as it is
//	case telecrm.Hold: // nothing this account sends can work until its settings change
//	case telecrm.Retry: // later
//	}
//
// After an attempt that ended without an answer, [Duplicate] may mean that the
// lead there is the very one that was sent. [Client.FindLeads] shows when it
// was created:
//
//	kind := telecrm.PhoneIdentifier
//	found := client.FindLeads(ctx, "phone", kind.Spellings("918123456789"))
//	for _, lead := range found.Leads {
//		if kind.Same(lead.Identifier, "918123456789") { // lead.ID, lead.CreatedOn
//
// The client never retries by itself, never follows a redirect, reads at most
// [MaxAnswerBytes] of an answer, and shows its token in no error and no
// formatted value.
package telecrm
