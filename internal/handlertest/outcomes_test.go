package handlertest

// outcome is the outcome of a submission, as logs, metrics and placeholders name it.
type outcome string

const (
	outcomeCreated     outcome = "created"
	outcomeKnown       outcome = "known"
	outcomeAccepted    outcome = "accepted"
	outcomeWaiting     outcome = "waiting"
	outcomeRepeat      outcome = "repeat"
	outcomeInvalid     outcome = "invalid"
	outcomeAsked       outcome = "asked"
	outcomeUnproven    outcome = "unproven"
	outcomeAside       outcome = "aside"
	outcomeForeign     outcome = "foreign"
	outcomeLimited     outcome = "limited"
	outcomeRefused     outcome = "refused"
	outcomeUnavailable outcome = "unavailable"
	outcomeTooLarge    outcome = "too_large"
	outcomeNotAForm    outcome = "not_a_form"
	outcomeMalformed   outcome = "malformed"
)

// confirmInput carries the confirmation of a post that is sent again.
const confirmInput = "_confirm"

// failureBody is a JSON answer to a post that was not accepted.
type failureBody struct {
	OK      bool   `json:"ok"`
	Success bool   `json:"success"`
	Code    int    `json:"code"`
	Status  string `json:"status"`
	Error   string `json:"error"`
	Message string `json:"message"`
	Errors  []struct {
		Field   string `json:"field"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
	Confirm string `json:"_confirm"`
}
