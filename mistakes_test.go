package caddytelecrm_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A mistake in one line is found while parsing. The error has the line's number, quotes the wrong
// word, and names the one that was probably meant.
func TestMistakesHaveAPlace(t *testing.T) {
	const account, form = "account", "form"
	for _, test := range []struct{ where, line, want string }{
		{form, "field x y telephon", `"telephon"; did you mean phone?`},
		{form, "field x y emial", `"emial"; did you mean email?`},
		{form, "field x y select", `"select"; did you mean dropdown?`},
		{form, "field x y Date", `"Date"; did you mean date?`},
		{form, "field x y colour", `"colour"; known types are: text, email,`},
		{form, "set x 5 nubmer", `"nubmer"; did you mean number?`},
		{form, "set x five number", "set x: "},
		{form, "set x 2026-13-45 date", "set x: "},
		{form, "field x {\npattern [\n}", `pattern "[": error parsing regexp`},
		{form, "field x {\npattern (?=x)\n}", `pattern "(?=x)": error parsing regexp`},
		{form, "field x y phone {\ncountry India\n}", `"India"; did you mean IN?`},
		{form, "field x y phone {\ncountry IND\n}", `"IND"; did you mean IN?`},
		{form, "field x y phone {\ncountry UK\n}", `"UK"; did you mean GB?`},
		{form, "field x {\nmin two\n}", `"two"`},
		{form, "field x {\nrequird\n}", `"requird"; did you mean required?`},
		{form, "field x y dropdown {\noptions Rooftop solar, Battery\n}", `"solar," has a comma`},
		{form, "field x y dropdown {\noptions Rooftop,Battery,Heater\n}", `"Rooftop,Battery,Heater" has a comma`},
		{form, "field x y dropdown {\noptions Rooftop solar; Battery\n}", `"solar;" has a semicolon`},
		{form, "field x y dropdown {\noptions Rooftop | Battery\n}", `"|"`},
		{form, "field x y tags {\noptions “Rooftop solar” Battery\n}", `"“Rooftop" begins with a mark that does not quote; use straight double quotes`},
		{form, "field x y tags {\noptions 'Rooftop solar' Battery\n}", `"'Rooftop" begins with a mark that does not quote; use straight double quotes`},
		{form, "field x {\nblank 'Please choose'\n}", `"'Please" begins with a mark that does not quote; use straight double quotes`},
		{form, "field x {\nlabel “Your town”\n}", `straight double quotes`},
		{form, "fallback 'Please call us'", `straight double quotes`},
		{form, "fallback “Call”", `straight double quotes`},
		{form, "field x required", `write required in its block`},
		{form, "field x y required", `"required"; known types are`},
		{form, "max_body 20", "20 bytes"},
		{account, "async_token /etc/caddy/token", "write {file./etc/caddy/token}"},
		{account, "async_token ./token", "write {file./path}"},
		{account, "async_token file./etc/caddy/token", "write {file./etc/caddy/token}"},
		{account, "async_token env.TELECRM_TOKEN", "write {env.TELECRM_TOKEN}"},
		{account, "async_token $TELECRM_TOKEN", "write {env.TELECRM_TOKEN}"},
		{account, "async_token TELECRM_TOKEN", "write {env.TELECRM_TOKEN}"},
		{form, "field x y dropdown", "must list its options"},
		{form, "field x y number {\nmin 5\nmax 3\n}", "min 5 is greater than max 3"},
		{form, "field x y number {\ndefault many\n}", `default "many"`},
		{form, "field x y rating {\noptions 1 9\n}", `option "9"`},
		{form, "action ACTION_1042", `"ACTION_1042"`},
		{form, "action call", `"call"`},
		{form, "action 1042 {\nfield x y telefone\n}", `"telefone"; did you mean phone?`},
		{form, "action PAYMENT {\nfield colour\n}", `"colour"`},
		{form, "action PAYMENT {\nset currency rupees\n}", "INR"},
		{form, "errors pager", `"pager"; did you mean page?`},
		{form, "errors redirect", "takes one path"},
		{form, "errors redirect thanks", `"thanks"`},
		{form, "deliver soon", `"soon"; known words are: now, later`},
		{form, "deliver latter", `"latter"; did you mean later?`},
		{form, "deliver now fast", `"fast"`},
		{form, "on_duplicate updat name", `"updat"; did you mean update?`},
		{form, "on_duplicate update emial", "emial"},
		{form, "rate_limit ten 1m", `"ten"`},
		{form, "rate_limit 10 minute", `"minute"`},
		{form, "dedupe often", `"often"`},
		{form, "max_body big", `"big"`},
		{form, "origins www.example.com", `"www.example.com"`},
		{form, "form_page contact.html", `"contact.html"`},
		{form, "challenge turnstyle", `"turnstyle"; did you mean turnstile?`},
		{form, "challenge altcha {\nfail opened\n}", `"opened"; did you mean open?`},
		{form, "challenge altcha {\ncomplexity lots\n}", `"lots"`},
		{form, "time_zone Asia/Kolkatta", `"Asia/Kolkatta"`},
		{form, "country Indai", `"Indai"; did you mean IN?`},
		{form, "feild email", `"feild"; did you mean field?`},
		{form, "field x\nfield x", "x: is given twice"},
		{form, "field x\nset x 1", "x: is given twice"},
		{form, "field x\nunmapped x", "x: is given twice"},
		{form, "action 1042 {\nfield note\nset note x\n}", "action 1042: note: is given twice"},
		{form, "option Pune", `"option"; did you mean options? it belongs in the block of a field`},
		{form, "retryfor 1h", `"retryfor"; did you mean retry_for? it belongs in the global option telecrm`},
		{account, "thankyou /x", `"thankyou"; did you mean thank_you? it belongs in a form's block`},
		{form, "set source {$TELECRM_UNSET}", "is the variable set?"},
		{form, "errors redirect {$TELECRM_UNSET}", "is the variable set?"},
		{form, "on_duplicate update {$TELECRM_UNSET}", "is the variable set?"},
		{form, "account dafault", `"dafault"; did you mean default?`},
		{form, "unmapped {$TELECRM_UNSET}", "is the variable set?"},
		{form, "field {env.TELECRM_FIELD}", "{env.TELECRM_FIELD} is not resolved here"},
		{form, "field x {env.TELECRM_INPUT}", "{env.TELECRM_INPUT} is not resolved here"},
		{form, "field x {\nlabel {env.TELECRM_LABEL}\n}", "{env.TELECRM_LABEL} is not resolved here"},
		{form, "field x {\ndefault {query.town}\n}", "query.town} is not resolved here"},
		{form, "field x {\nrequired \"Call {env.SHOP_PHONE}\"\n}", "{env.SHOP_PHONE} is not resolved here"},
		{form, "field x y dropdown {\noptions {file./srv/options}\n}", "{file./srv/options} is not resolved here"},
		{form, "set {env.TELECRM_FIELD} x", "{env.TELECRM_FIELD} is not resolved here"},
		{form, "action 1042 {\nfield {env.TELECRM_KEY}\n}", "{env.TELECRM_KEY} is not resolved here"},
		{form, "unmapped {env.TELECRM_FIELD}", "{env.TELECRM_FIELD} is not resolved here"},
		{form, "form {env.TELECRM_FORM}", "{env.TELECRM_FORM} is not resolved here"},
		{form, "honeypot {env.TELECRM_TRAP}", "{env.TELECRM_TRAP} is not resolved here"},
		{form, "origins https://*.example.com", "list each origin"},
		{account, "country Germany", `"Germany"; did you mean DE?`},
		{account, "time_zone India", `"India"`},
		{account, "crm_rate 3600/hour", `"3600/hour"`},
		{account, "crm_rate fast", `"fast"`},
		{account, "base_url http://crm.example.com", "it must be https"},
		{account, "timeout soon", `"soon"`},
		{account, "async_token {$TELECRM_UNSET}", "is the variable set?"},
		{account, "idntifier email", `"idntifier"; did you mean identifier?`},
	} {
		lines := map[string]string{test.where: test.line}
		country := "country IN"
		if test.where == account && strings.HasPrefix(test.line, "country") {
			country = ""
		}
		input := fmt.Sprintf("{\ntelecrm {\naccount {\n%s\ntoken {env.TELECRM_TOKEN}\nenterprise_id 66aa00bb11cc22dd33ee44ff\n%s\n}\n}\n}\n"+
			":9080 {\ntelecrm /enquire {\n%s\nfield phone\nthank_you /thanks\n}\n}\n",
			lines[account], country, lines[form])
		_, err := adapt(input)
		if err == nil {
			t.Errorf("%s: accepted", test.line)
			continue
		}
		first := 1 + strings.Count(input[:strings.Index(input, test.line)], "\n")
		last := first + strings.Count(test.line, "\n")
		isPlaced := false
		for line := first; line <= last; line++ {
			isPlaced = isPlaced || strings.HasSuffix(err.Error(), fmt.Sprintf(", at Caddyfile:%d", line))
		}
		if !isPlaced || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v\nwant one about lines %d to %d that contains %s", test.line, err, first, last, test.want)
		}
	}
}

// The blocks of a Caddyfile, with a gap for one line.
var blocks = map[string]string{
	"the telecrm option":  "{\ntelecrm {\n%s\n}\n}\n",
	"account":             "{\ntelecrm {\naccount {\n%s\n}\n}\n}\n",
	"telecrm":             ":9080 {\ntelecrm /enquire {\n%s\n}\n}\n",
	"field":               ":9080 {\ntelecrm /enquire {\nfield x {\n%s\n}\n}\n}\n",
	"action":              ":9080 {\ntelecrm /enquire {\naction 1042 {\n%s\n}\n}\n}\n",
	"attribution":         ":9080 {\ntelecrm /enquire {\nattribution {\n%s\n}\n}\n}\n",
	"challenge":           ":9080 {\ntelecrm /enquire {\nchallenge altcha {\n%s\n}\n}\n}\n",
	"rate_limit":          ":9080 {\ntelecrm /enquire {\nrate_limit 10 1m {\n%s\n}\n}\n}\n",
	"telecrm_sandbox":     ":9080 {\ntelecrm_sandbox {\n%s\n}\n}\n",
	"telecrm_attribution": ":9080 {\ntelecrm_attribution {\n%s\n}\n}\n",
}

var knownWords = regexp.MustCompile(`known words are: (.*), at Caddyfile:`)

// wordsOf returns the words that the block knows, as its own error lists them.
func wordsOf(t *testing.T, block string) []string {
	t.Helper()
	_, err := adapt(fmt.Sprintf(block, "qqqqqqqq"))
	if err == nil {
		t.Fatal("an unknown word is accepted")
	}
	found := knownWords.FindStringSubmatch(err.Error())
	if found == nil {
		t.Fatalf("the error %q does not list the known words", err)
	}
	return strings.Split(found[1], ", ")
}

// Caddy removes {$NAME} from the Caddyfile if the variable is not set, so the parser sees a word
// without its value.
func TestEveryWordAsksForItsVariable(t *testing.T) {
	mayBeAlone := []string{"account", "protect", "attribution", "required", "strict"}
	for name, block := range blocks {
		for _, word := range wordsOf(t, block) {
			if slices.Contains(mayBeAlone, word) {
				continue
			}
			_, err := adapt(fmt.Sprintf(block, word+" {$TELECRM_UNSET}"))
			if err == nil || !strings.Contains(err.Error(), "is the variable set?") {
				t.Errorf("%s in %s: got error %v, want one that asks whether the variable is set", word, name, err)
			}
		}
	}
}

// A word in the wrong block is not a typing mistake: the error names the block that it belongs in.
func TestWordsInTheWrongBlock(t *testing.T) {
	known := make(map[string][]string)
	for name, block := range blocks {
		known[name] = wordsOf(t, block)
	}
	for _, home := range []string{"the telecrm option", "account", "telecrm", "field", "action", "challenge", "rate_limit"} {
		for _, word := range known[home] {
			for _, name := range []string{"the telecrm option", "account", "telecrm", "field", "action"} {
				if slices.Contains(known[name], word) {
					continue
				}
				_, err := adapt(fmt.Sprintf(blocks[name], word+" 1"))
				if err == nil || !strings.Contains(err.Error(), "it belongs in ") {
					t.Errorf("%s in %s: got error %v, want one that says where it belongs", word, name, err)
				}
			}
		}
	}
}

// Mistakes in the global option name the line, and what to write.
func TestMistakesInGlobalOption(t *testing.T) {
	const settings = "{\ntoken {env.TELECRM_TOKEN}\nenterprise_id 66aa00bb11cc22dd33ee44ff\n}"
	for line, want := range map[string]string{
		"outbox sqllite":              `"sqllite"; did you mean sqlite?`,
		"outbox Off":                  `"Off"; did you mean off?`,
		"outbox tape":                 `"tape"; known words are: off, sqlite`,
		"outbox /srv/outbox.db":       "outbox sqlite /srv/outbox.db",
		"outbox postgres://db/leads":  "before the DSN: outbox postgres {env.TELECRM_DSN}",
		"outbox leads.db":             "outbox sqlite leads.db",
		"outbox sqlite \"\"":          "is the variable set?",
		"account \"\" " + settings:    "the name is empty",
		"account {env.X} " + settings: "{env.X} is not resolved here",
	} {
		_, err := adapt("{\ntelecrm {\n" + line + "\n}\n}\n")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ", at Caddyfile:3") {
			t.Errorf("%s: got error %v\nwant one about line 3 that contains %s", line, err, want)
		}
	}
}

// A secret that stands in the wrong place is not in the error.
func TestMistakesShowNoSecret(t *testing.T) {
	const account, form = "account {\n%s\nenterprise_id 66aa00bb11cc22dd33ee44ff\n}\n", "field phone\nthank_you /thanks\n%s\n"
	const global = "{\ntelecrm {\n%s\n}\n}\n"
	for _, config := range []string{
		fmt.Sprintf(global, fmt.Sprintf(account, "token\nent:s3cret")),
		fmt.Sprintf(global, fmt.Sprintf(account, "ent:s3cret")),
		fmt.Sprintf(global, fmt.Sprintf(account, "token:s3cret")),
		fmt.Sprintf(global, fmt.Sprintf(account, "token=s3cret")),
		fmt.Sprintf(global, fmt.Sprintf(account, "token ent:s3cret more")),
		fmt.Sprintf(global, "account ent:s3cret {\ncountry IN\n}"),
		fmt.Sprintf(global, "outbox postgres://user:s3cret@db.example.com/leads"),
		fmt.Sprintf(global, `outbox "host=db.example.com password=s3cret dbname=leads"`),
		fmt.Sprintf(global, "outbox off postgres://user:s3cret@db.example.com/leads"),
		fmt.Sprintf(global, "outbox sqlite leads.db postgres://user:s3cret@db.example.com/leads"),
		":80 {\ntelecrm /x {\n" + fmt.Sprintf(form, "ent:s3cret") + "}\n}\n",
		":80 {\ntelecrm /x {\n" + fmt.Sprintf(form, "account ent:s3cret") + "}\n}\n",
		":80 {\ntelecrm /x {\n" + fmt.Sprintf(form, "origins https://user:s3cret@www.example.com") + "}\n}\n",
		":80 {\ntelecrm /x {\n" + fmt.Sprintf(form, "challenge turnstile {\n0x4AAAAAAAAAAAAAAAAAAAAAAAAAAAs3cret\n}") + "}\n}\n",
		":80 {\ntelecrm /x {\n" + fmt.Sprintf(form, "challenge 0x4AAAAAAAAAAAAAAAAAAAAAAAAAAAs3cret") + "}\n}\n",
	} {
		if _, err := adapt(config); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s\nerror %v", config, err)
		}
	}
}

// Mistakes of one block are reported together, each with its place.
func TestSeveralMistakes(t *testing.T) {
	_, err := adapt(`{
	telecrm {
		account {
			token {env.TELECRM_TOKEN}
			enterprise_id 66aa00bb11cc22dd33ee44ff
			country India
			time_zone IST
		}
		retry_for long
	}
}`)
	checkPlaces(t, err, "Caddyfile:6", "Caddyfile:7", "Caddyfile:9")
	_, err = adapt(`:9080 {
	telecrm /enquire {
		token {env.TELECRM_TOKEN}
		enterprise_id 66aa00bb11cc22dd33ee44ff
		country IN
		feild name {
			required
			max 5
		}
		field phone {
			required yes {
				max 5
			}
			labell Phone
		}
		thank_you thanks
	}
}`)
	checkPlaces(t, err, "Caddyfile:6", "Caddyfile:11", "Caddyfile:14", "Caddyfile:16")
	_, err = adapt(`:9080 {
	telecrm /enquire {
		token {env.TELECRM_TOKEN}
		enterprise_id 66aa00bb11cc22dd33ee44ff
		country IN
		field phone
		field product product dropdown
		set budget lots number
		thank_you /thanks
	}
}`)
	checkPlaces(t, err, "Caddyfile:7", "Caddyfile:8")
}

var place = regexp.MustCompile(`Caddyfile:\d+`)

// A path matcher does not see the query or the fragment of a URL, so a form with one would never
// get a post.
func TestMatchersThatNeverMatch(t *testing.T) {
	for _, matcher := range []string{"/contact?x=1", "/contact#form", "/contact.html?"} {
		_, err := adapt(":9080 {\ntelecrm " + matcher + " {\nfield phone\nthank_you /thanks\n}\n}\n")
		if err == nil || !strings.Contains(err.Error(), "leave out") || !strings.HasSuffix(err.Error(), ", at Caddyfile:2") {
			t.Errorf("%s: got error %v, want one about line 2 that says what to leave out", matcher, err)
		}
	}
}

// Options with punctuation that is part of a label are accepted.
func TestOptionsWithPunctuation(t *testing.T) {
	_, err := adapt(`:9080 {
	telecrm /enquire {
		token {env.TELECRM_TOKEN}
		enterprise_id 66aa00bb11cc22dd33ee44ff
		country IN
		field phone
		field product product dropdown {
			options "Yes, call me" 1,000 10,00,000-20,00,000 "Kitchen; bath" "A | B" "O'Neill's" Kid's Twins' "Rooftop,Battery"
		}
		thank_you /thanks
	}
}`)
	if err != nil {
		t.Error(err)
	}
}

func checkPlaces(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if got := place.FindAllString(err.Error(), -1); !slices.Equal(got, want) {
		t.Errorf("got mistakes at %v, want %v: %v", got, want, err)
	}
}
