package check

import "slices"

// Code identifies a kind of finding. Codes are stable: scripts may rely on them.
type Code string

// The codes of findings about the mapping and the workspace.
const (
	UnknownField        Code = "unknown-field"
	FieldCase           Code = "field-case"
	WrongType           Code = "wrong-type"
	IdentifierNotMapped Code = "identifier-not-mapped"
	WrongIdentifier     Code = "wrong-identifier"
	UnknownOption       Code = "unknown-option"
	UncheckedOption     Code = "unchecked-option"
	UnknownTag          Code = "unknown-tag"
	UnknownStatus       Code = "unknown-status"
	ArchivedStatus      Code = "archived-status"
	UnknownLostReason   Code = "unknown-lost-reason"
	ArchivedLostReason  Code = "archived-lost-reason"
	UnknownAssignee     Code = "unknown-assignee"
	UnknownAction       Code = "unknown-action"
	UnknownActionKey    Code = "unknown-action-key"
	LockedField         Code = "locked-field"
	InvalidMapping      Code = "invalid-mapping"
	ConfigRefused       Code = "config-refused"

	TokenRefused         Code = "token-refused" //nolint:gosec // not a token
	WrongEnterpriseID    Code = "wrong-enterprise-id"
	TokenAsID            Code = "token-as-enterprise-id" //nolint:gosec // not a token
	WrongBaseURL         Code = "wrong-base-url"
	AccountOnHold        Code = "account-refused"
	WorkspaceUnavailable Code = "workspace-unavailable"
)

// The codes of findings about the mapping and the pages.
const (
	InputNotInForm       Code = "input-not-in-form"
	RequiredInputMissing Code = "required-input-missing"
	InputNotMapped       Code = "input-not-mapped"
	InputWithoutName     Code = "input-without-name"
	InputTypeDiffers     Code = "input-type-differs"
	SeveralValues        Code = "several-values"
	OptionNotAccepted    Code = "option-not-accepted"
	OptionNotOffered     Code = "option-not-offered"
	RequiredInHTMLOnly   Code = "required-in-html-only"
	RequiredInConfigOnly Code = "required-in-config-only"
	LengthInHTMLOnly     Code = "length-in-html-only"
	LengthInConfigOnly   Code = "length-in-config-only"
	LengthDiffers        Code = "length-differs"
	WrongMethod          Code = "wrong-method"
	WrongEncoding        Code = "wrong-enctype"
	ActionWithoutHandler Code = "action-without-handler"
	FormNotSent          Code = "form-not-sent"
	HandlerWithoutForm   Code = "handler-without-form"
	OtherHost            Code = "other-host"
	ThankYouMissing      Code = "thank-you-missing"
	FormPageMissing      Code = "form-page-missing"
	ErrorPageMissing     Code = "error-page-missing"
	ServiceLeftover      Code = "service-leftover"
	TrapAutofilled       Code = "trap-autofilled"
	TrapNotInForm        Code = "trap-not-in-form"
	SecretInput          Code = "secret-input" //nolint:gosec // not a secret
	ControlWithoutLabel  Code = "control-without-label"
	AutocompleteMissing  Code = "autocomplete-missing"
	FormHidden           Code = "form-in-closed-box"
	FormRebuilt          Code = "form-rebuilt"
	DateOrderMissing     Code = "date-order-missing"
	NameTooLong          Code = "name-too-long"
	TooManyInputs        Code = "too-many-inputs"
	PageTooLarge         Code = "page-too-large"
	PageEncoding         Code = "page-encoding"
	PageNesting          Code = "page-nesting"
)

// The codes of findings about the environment.
const (
	FolderNotWritable     Code = "folder-not-writable"
	PlaceholderEmpty      Code = "placeholder-empty"
	CountryMissing        Code = "country-missing"
	TimeZoneMissing       Code = "time-zone-missing"
	TrustedProxiesMissing Code = "trusted-proxies-missing"
	ClockOff              Code = "clock-off"
)

// Rule describes the findings of a code.
type Rule struct {
	Code     Code
	Severity Severity // the usual one
	Summary  string
}

// Rules lists all codes.
func Rules() []Rule { return slices.Clone(rules) }

var rules = []Rule{
	{UnknownField, Error, "The workspace does not have a field with this API name, so its value is lost."},
	{FieldCase, Error, "The workspace's field is spelled with other capital letters, and case counts."},
	{WrongType, Error, "The type of the field is not the one that it has in TeleCRM, so TeleCRM drops its values."},
	{IdentifierNotMapped, Error, "No line gives the lead identifier, which TeleCRM requires in every lead."},
	{WrongIdentifier, Error, "The workspace's lead identifier is another field than the config says."},
	{UnknownOption, Error, "The dropdown does not have this label, and TeleCRM would create it."},
	{UncheckedOption, Warning, "Any text may be sent to the dropdown, and TeleCRM would create an option for each."},
	{UnknownTag, Warning, "The workspace does not have this tag."},
	{UnknownStatus, Error, "The pipeline does not have this status, so TeleCRM drops it."},
	{ArchivedStatus, Error, "The status is archived, so TeleCRM drops it."},
	{UnknownLostReason, Error, "The pipeline does not have this lost reason, so TeleCRM drops it."},
	{ArchivedLostReason, Error, "The lost reason is archived, so TeleCRM drops it."},
	{UnknownAssignee, Error, "Nobody in the team has this e-mail address."},
	{UnknownAction, Error, "The workspace does not have an action with this code."},
	{UnknownActionKey, Error, "The action does not have a field with this key."},
	{LockedField, Warning, "The field cannot change after the lead was created, but on_duplicate would set it."},
	{InvalidMapping, Error, "A line of the form cannot work, and Caddy would refuse the config."},
	{ConfigRefused, Error, "Caddy refuses a line of the config, so nothing else could be checked."},
	{TokenRefused, Error, "TeleCRM refuses the token."},
	{WrongEnterpriseID, Error, "TeleCRM does not know the enterprise id, or the token belongs to another one."},
	{TokenAsID, Error, "The enterprise id looks like a token."},
	{WrongBaseURL, Error, "The base URL does not lead to TeleCRM's API."},
	{AccountOnHold, Error, "TeleCRM refuses all requests of the account, for example because the subscription has ended."},
	{WorkspaceUnavailable, Warning, "Part of the workspace could not be read, so the config was not compared with it."},

	{InputNotInForm, Warning, "No form on any page has this input. An error if the input is required."},
	{RequiredInputMissing, Error, "A form lacks a required input, so all of its posts are refused."},
	{InputNotMapped, Warning, "No line of the config takes this input, so what visitors enter is lost."},
	{InputWithoutName, Warning, "The control does not have a name, so browsers do not send it."},
	{InputTypeDiffers, Warning, "The control asks for something else than the field takes."},
	{SeveralValues, Warning, "Visitors can choose several values, but the field takes one."},
	{OptionNotAccepted, Error, "Visitors can choose a value that the form refuses."},
	{OptionNotOffered, Note, "Visitors cannot choose a value that the form accepts."},
	{RequiredInHTMLOnly, Note, "Browsers require the input, but the form does not."},
	{RequiredInConfigOnly, Warning, "The form requires the input, but browsers do not, so visitors learn it late."},
	{LengthInHTMLOnly, Note, "Browsers limit the length, but the form does not."},
	{LengthInConfigOnly, Note, "The form limits the length, but browsers do not, so visitors learn it late."},
	{LengthDiffers, Warning, "Browsers accept a longer text than the form."},
	{WrongMethod, Error, "The HTML form is not sent as a POST, so the handler never sees it."},
	{WrongEncoding, Error, "The HTML form is sent in an encoding that the handler refuses."},
	{ActionWithoutHandler, Error, "The HTML form posts to a path that no handler takes."},
	{FormNotSent, Warning, "The HTML form looks like one for enquiries, but it does not post to a handler."},
	{HandlerWithoutForm, Warning, "No form on any page posts to the handler."},
	{OtherHost, Error, "The HTML form posts to a sibling of the site's host. A redirect from there loses what was typed."},
	{ThankYouMissing, Error, "The thank-you page does not exist."},
	{FormPageMissing, Error, "The page named by form_page does not exist."},
	{ErrorPageMissing, Error, "The page named by errors redirect does not exist."},
	{ServiceLeftover, Warning, "The form still has parts of another form service."},
	{TrapAutofilled, Warning, "Browsers may fill in the trap, and people would be taken for programs."},
	{TrapNotInForm, Warning, "The form does not have the trap that the config names."},
	{SecretInput, Warning, "The form asks for a password or another secret, which no lead should hold."},
	{ControlWithoutLabel, Warning, "The control does not have a label that screen readers can read out."},
	{AutocompleteMissing, Note, "Browsers could fill in the control if they knew what it is for."},
	{FormHidden, Note, "The form is in a box that is closed when the page opens, so errors are shown on the built-in page."},
	{FormRebuilt, Note, "A script rebuilds the form in the browser, so errors are shown on the built-in page, and protect leaves it alone."},
	{DateOrderMissing, Warning, "Visitors type the date, and 05/12/2026 has two meanings."},
	{NameTooLong, Warning, "The input's name is longer than the limit, so the input is skipped."},
	{TooManyInputs, Warning, "The form has more inputs than the limit."},
	{PageTooLarge, Warning, "The page is too large or nested too deeply to be shown again with errors."},
	{PageEncoding, Warning, "The page is not in the encoding that it declares, so it cannot be shown again with errors."},
	{PageNesting, Warning, "The page has wrongly nested elements before or in a form, so it cannot be shown again with errors."},

	{FolderNotWritable, Error, "The folder for leads that wait for TeleCRM cannot be written to."},
	{PlaceholderEmpty, Error, "A placeholder of the config has no value."},
	{CountryMissing, Error, "A phone number typed without a country code cannot be understood."},
	{TimeZoneMissing, Warning, "Dates are read in UTC, which may move them to another day."},
	{TrustedProxiesMissing, Warning, "The config reads a header of a proxy, but does not say which proxies to believe."},
	{ClockOff, Warning, "The clock of this machine differs from TeleCRM's."},
}

// severity returns the usual severity of the code.
func (c Code) severity() Severity {
	for _, rule := range rules {
		if rule.Code == c {
			return rule.Severity
		}
	}
	return Error
}
