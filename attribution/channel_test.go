package attribution

import "testing"

func TestChannel(t *testing.T) {
	params := NewParams(DefaultParams())
	for _, test := range []struct {
		query, referrer, want string
	}{
		{"utm_source=google&utm_medium=cpc", "", "Paid Search"},
		{"utm_source=Google&utm_medium=CPC&utm_campaign=brand", "", "Paid Search"},
		{"gclid=EAIaIQobChMI-x_y", "https://www.google.com/", "Paid Search"},
		{"gbraid=0AAAAA", "", "Paid Search"},
		{"msclkid=0a1b", "https://www.bing.com/", "Paid Search"},
		{"dclid=CJx", "", "Display"},
		{"fbclid=IwAR0", "https://l.facebook.com/", "Organic Social"},
		{"fbclid=IwAR0&utm_source=facebook&utm_medium=paid_social", "https://l.facebook.com/", "Paid Social"},
		{"ttclid=E.C.P", "", "Paid Social"},
		{"twclid=2-3", "", "Paid Social"},
		{"li_fat_id=9c", "", "Paid Social"},
		{"utm_source=youtube&utm_medium=description", "", "Organic Video"},
		{"utm_source=youtube&utm_medium=cpc", "", "Paid Video"},
		{"utm_source=amazon&utm_medium=ppc", "", "Paid Shopping"},
		{"utm_source=x&utm_medium=cpc&utm_campaign=summer+shopping", "", "Paid Shopping"},
		{"utm_source=partner&utm_medium=cpc&utm_campaign=workshop", "", "Paid Other"},
		{"utm_source=any&utm_medium=cpc&utm_campaign=Cross-network", "", "Cross-network"},
		{"utm_source=news.example&utm_medium=banner", "", "Display"},
		{"utm_source=newsletter&utm_medium=email", "", "Email"},
		{"utm_source=e-mail", "", "Email"},
		{"utm_source=partner&utm_medium=affiliate", "", "Affiliates"},
		{"utm_source=spotify&utm_medium=audio", "", "Audio"},
		{"utm_source=sms&utm_medium=text", "", "SMS"},
		{"utm_source=firebase", "", "Mobile Push Notifications"},
		{"utm_source=app&utm_medium=web+push", "", "Mobile Push Notifications"},
		{"utm_source=blog.example&utm_medium=referral", "", "Referral"},
		{"utm_source=blog.example&utm_medium=nonsense", "", "Unassigned"},
		{"utm_source=chatgpt.com", "", "AI Assistant"},
		{"utm_source=(direct)&utm_medium=(none)", "", "Direct"},
		{"", "https://www.google.co.in/", "Organic Search"},
		{"", "android-app://com.google.android.googlequicksearchbox/", "Organic Search"},
		{"", "https://in.search.yahoo.com/", "Organic Search"},
		{"", "https://duckduckgo.com/", "Organic Search"},
		{"", "https://docs.google.com/document", "Referral"},
		{"", "https://ads.google.com/", "Referral"},
		{"", "https://mail.google.com/", "Referral"},
		{"", "https://gemini.google.com/app", "AI Assistant"},
		{"", "https://chatgpt.com/", "AI Assistant"},
		{"", "https://www.perplexity.ai/search/x", "AI Assistant"},
		{"", "https://copilot.microsoft.com/", "AI Assistant"},
		{"", "https://t.co/abc", "Organic Social"},
		{"", "https://www.linkedin.com/feed/", "Organic Social"},
		{"", "https://out.reddit.com/", "Organic Social"},
		{"", "https://www.youtube.com/", "Organic Video"},
		{"", "https://www.amazon.in/", "Organic Shopping"},
		{"", "https://news.example.org/story", "Referral"},
		{"", "https://notgoogle.example/", "Referral"},
		{"", "https://google.evil.example/", "Referral"},
		{"", "https://www.x.company.example/", "Referral"},
		{"utm_campaign=spring", "https://www.google.com/", "Organic Search"},
		{"", "", ""},
	} {
		touch := Touch{Params: params.of(test.query), Referrer: test.referrer}
		if got := touch.Channel(); got != test.want {
			t.Errorf("%s from %q: got %q, want %q", test.query, test.referrer, got, test.want)
		}
	}
}

func TestChannelTable(t *testing.T) {
	table, err := readChannels(channelsFile)
	if err != nil {
		t.Fatal(err)
	}
	if table.Version == "" || table.Source == "" {
		t.Error("the table does not have its version and source")
	}
	categories := map[string]bool{"": true, "none": true}
	for _, rule := range table.Rules {
		for _, c := range rule.Any {
			if c == (condition{}) {
				t.Errorf("%s: a condition is empty", rule.Channel)
			}
			if c.Site != "" && table.Sites[c.Site] == nil {
				t.Errorf("%s: category %s is empty", rule.Channel, c.Site)
			}
			categories[c.Site] = true
		}
	}
	for category := range table.Sites {
		if !categories[category] {
			t.Errorf("no rule uses category %s", category)
		}
	}
	for _, name := range DefaultParams()[1:] {
		if !isClickID(name) {
			t.Errorf("the table does not say whose click %s is", name)
		}
	}
}
