package guard

import "strings"

// trades are what strangers offer by forms to whoever reads them, one line a
// trade. The words are those of the sellers, in the languages that they
// write most; what people ask of shops and schools is not among them. But
// there are agencies for search engines, lenders and casinos, whose visitors
// use these words: therefore one trade weighs little, and however many of its
// words there are, it is one.
var trades = compileAll(
	// Ranks in search engines, and visitors.
	`\bseo\b|search engine (?:optimi[sz]|rank)|back-?links?\b|link[- ]building|guest[- ]?post|domain authority|\b(?:da|dr) ?\d\d\+|(?:first|top|page one|1st|#1)(?: page)? (?:of|on|in) (?:google|bing|search)|google(?:'s)? (?:first page|ranking)|(?:organic|website|web|targeted|real) (?:traffic|visitors)|rank(?:ing)?s? (?:higher|your|on google|in google)`+
		`|продвижени\pL* (?:сайт|бизнес)|раскрутк|обратны[ех] ссыл|вечны[ех] ссыл|прогон\pL* (?:по|сайт)|топ (?:яндекс|гугл|google)`+
		`|外链|外鏈|搜索引擎|谷歌首页|关键词排名|网站排名|友情链接|网站推广`+
		`|बैकलिंक|एसईओ|गूगल (?:के|पर) पहले|वेबसाइट (?:की|को) रैंक`+
		`|primeir[ao] página do google|posicionamento (?:no|do) google|primera página de google|posicionamiento (?:web|seo|en google)|première page de google|référencement|erste seite (?:bei|von) google|suchmaschinenoptimierung|enlaces de calidad|posizionamento (?:su|sui|web)|prima pagina (?:di|su) google|google'da ilk sayfa|arama motoru|تحسين محركات البحث|الصفحة الأولى|باك ?لينك|do-?follow|search rankings?|google (?:rank|top)|tráfego (?:orgânico|pago|qualificado)|tráfico (?:web|orgánico)`,
	// Faults of your site, and a new one.
	`(?:errors?|issues|problems|mistakes|faults|bugs) (?:on|with|in) your (?:web ?site|site|page)|(?:audit|review) (?:of|report|for) (?:of |for )?your (?:web ?site|site)|(?:redesign|rebuild|revamp) (?:of )?your (?:web ?site|site)|your (?:web ?site|site) (?:is not|isn't|does not|doesn't) (?:\w+ ){0,2}(?:optimi[sz]|rank|convert|perform)\w*|(?:web|app) (?:design|development) (?:company|agency|services)|ошиб\pL+ на (?:вашем )?сайт|(?:创建|建设|制作)网站|网站建设|(?:site|website|page|it) (?:loads? (?:too )?slow|is (?:too )?slow)\w*|broken links|site speed|wordpress (?:developer|expert|fixes)|(?:web|app|software) developers?\b|desarrollo web|realizzazione siti|web tasarım|تصميم مواقع|criação de sites|diseño web|création de sites?`,
	// Currencies and investments.
	`\bcrypto\w*|bitcoin|\bbtc\b|\busdt\b|ethereum|\bforex\b|binary options|trading (?:bot|signals|robot)|passive income|make money (?:online|from home)|earn (?:up to )?[$€£₹]|\d+% (?:daily|weekly|profit|returns?)|guaranteed (?:profit|returns)|криптовалют|биткоин|биткойн|заработ(?:ок|ай|ать|ка)|пассивн\pL+ доход|比特币|虚拟货币|稳赚|日赚|बिटकॉइन|क्रिप्टो|पैसे कमा|घर बैठे|air ?drops?\b|(?:double|doubled|multiply) (?:your|their) (?:money|\w+coin|usdt|investment)|guadagnare|para kazan|استثمار|العملات الرقمية|ganhar dinheiro|ganhe (?:dinheiro|até)|renda extra|ganar dinero|criptomoneda|criptomoeda|geld verdienen|gagner de l'argent`,
	// Gambling.
	`\bcasinos?\b|\bpoker\b|\bjackpots?\b|free spins|\bslots?\b (?:online|machine|gacor)|online slots?|sports? ?betting|\bbetting (?:site|tips|app)|\bbookmaker|казино|ставк\pL* на спорт|букмекер|игровые автоматы|博彩|赌场|娱乐城|彩票|百家乐|कैसीनो|सट्टा|cassino|apostas|apuestas|tragamonedas|roulette|рулетк|scommesse|casin[oò]\b|canlı bahis|kumarhane|مراهنات|كازينو|judi online|togel|bahis`,
	// Pills.
	`viagra|cialis|levitra|kamagra|tramadol|xanax|ozempic|(?:online|canadian|cheap) (?:pharmacy|meds|pills)|without (?:a )?prescription|weight[- ]loss (?:pills?|gummies|supplement)|keto (?:gummies|diet|pills)|\bcbd (?:oil|gummies)|erectile|testosterone|steroids?\b|hair loss (?:cure|treatment)|male enhancement|فياجرا|виагр|сиалис|дженерик|壮阳|减肥药|वियाग्रा|sem receita|sin receta|ohne rezept`,
	// Money lent to anybody.
	`(?:offer|provide|grant|give out)\w* (?:[\w-]+ ){0,5}loans?\b|loan (?:offer|funding)s?\b|(?:business|personal|project) (?:loans?|funding) (?:at|from|with|of) (?:\w+ )?\d|(?:funding|credit) (?:up to|of up to) [$€£]|working capital|merchant cash|prestit[oi]|hızlı kredi|قرض (?:سريع|بدون)|no credit check|bad credit|interest rate of \d|pre-?approved|деньги в долг|займ\pL* (?:без|онлайн|на карту)|кредит без|无抵押|贷款|तुरंत लोन|बिना गारंटी|empréstimo|préstamos? (?:sin|rápido|personal)|kredit ohne|prêt entre particuliers`,
	// Addresses, and forms filled in for money.
	`\b(?:email|b2b|business) (?:lists?|databases?|leads)\b|database of \d|bulk (?:e-?mail|sms|whatsapp|messag)|contact[- ]form (?:marketing|submission|blast|advert)|messages? (?:to|through|via) (?:\w+ )?(?:contact|feedback) ?forms|form blasting|email marketing (?:service|campaign)|рассылк\pL* (?:по|через|писем|сообщ)|баз[аыу] (?:email|e-mail|данных|сайтов|контактов)|(?:разошл\pL+|рассыл\pL+) |exclusive leads|leads? generation|(?:verified|targeted) (?:emails?|contacts|leads)|toplu (?:mail|sms)|邮件群发|群发|代开发票|刷单|加微信|加我微信|ईमेल (?:डेटाबेस|लिस्ट)|lista de e-?mails|disparo em massa|base de datos de`,
	// Company.
	`\b(?:hot|sexy|lonely) (?:girls?|women|ladies|singles|moms?)|\bhook-?ups?\b|adult dating|dating (?:site|app)|onlyfans|\bescorts?\b (?:service|girls)|nudes?\b|\bporn|\bxxx\b|\b(?:my|send|see) nudes?|(?:meet|chat with) (?:girls|women|singles)|\bcam (?:girls|show)|секс|интим|знакомств\pL* для|裸聊|约炮|成人|सेक्स|garotas de programa|encontros (?:adultos|casuais)|citas (?:adultos|calientes)`,
	// Followers and reviews.
	`(?:buy|real|cheap|instagram|tiktok|youtube|google) (?:\w+ )?(?:followers|subscribers|reviews for|5-star reviews|likes)|\bsmm panel|explainer videos?|(?:nft|token) (?:drop|presale|launch)|replica (?:watches|bags)|(?:youtube|tiktok|instagram|telegram) (?:views|subscribers|followers|likes|growth|promotion)|takipçi|متابعين|накрутк|подписчик|刷粉|नकली रिव्यू|सब्सक्राइबर|comprar seguidores|seguidores reais|seguidores reales`,
)

// approaches are how they begin and end, whatever the trade.
var approaches = compileAll(
	`dear (?:web ?site |site |business |company )?(?:owner|webmaster|administrator|admin)\b|(?:came|stumbled) (?:across|upon|on) your (?:web ?site|site|page|business)|(?:visiting|visited|looking at|checking|browsing|reviewing) your (?:web ?site|site)|(?:boost|increase|grow|skyrocket|double|improve|explode) your (?:[\w-]+ ){0,3}(?:business|sales|traffic|rank\w*|revenue|visib\w+|leads|online|income|website|site|customers)|(?:we|i) (?:can|will|could|would love to) (?:[\w-]+ ){0,2}(?:get|put|help|place|rank|bring|send|drive|build|boost|increase|improve|fix|redesign) (?:you|your|it)\b|(?:we|i) (?:offer|provide|sell|are offering|specialize|specialise)\b|are you interested in|(?:limited|special)[- ](?:time )?offer|click (?:here|the link|below)|act now|(?:unsubscribe|opt[- ]out)|(?:reply|whatsapp|contact us|telegram|skype) (?:for|to get|me for) (?:a |our |the )?(?:free |full )?(?:quote|price|prices|pricing|details|audit|list|proposal)|send you (?:a |our |the )?(?:free )?(?:quote|price|pricing|proposal|audit|report|packages?)|risk[- ]free|(?:buy|order|join|apply|register) (?:now|today)|join us|visit (?:us|our)|(?:details|more info(?:rmation)?)(?: at| here|:)|(?:fast|worldwide) (?:delivery|shipping)|(?:lowest|best|cheapest) prices?\b|free (?:trial|quote|audit|bonus)|100% (?:free|guaranteed|safe|legit)|money[- ]back`,
	`предлага(?:ем|ю)|наша (?:компания|команда)|выгодн\pL+ (?:предлож|услов)|скидк|переход(?:и|ите) по|жми(?:те)? |регистрируй|заходи|подробн|бонус|гарантир|пишите (?:в|нам|на)|недорого|отписаться`,
	`我们(?:提供|是|可以|公司专业)|专业(?:提供|团队|从事)|优惠|点击|注册(?:送|即)|联系(?:我|微信|qq|电报)|低价|免费领取|加q|退订|了解更多`,
	`हम (?:आपकी|आपके|आपको|प्रदान|देते)|ऑफर|यहाँ क्लिक|यहां क्लिक|अभी (?:जुड़|रजिस्टर|संपर्क)|गारंटी|अधिक जानकारी`,
	`oferecemos|(?:nossa|nuestra) (?:empresa|equipe|equipo)|clique (?:aqui|no)|haga clic|haz clic|aumente (?:suas|su|as|tus)|aumentar (?:suas|sus)|cadastre-se|regístrate|ofrecemos|garanti(?:do|a|mos|zado)|nous (?:proposons|offrons)|cliquez ici|wir bieten|hier klicken|aproveite|saiba mais|más información|en savoir plus|mehr erfahren|bônus|bono\b|aprovecha|promoção`,
)

// customers is what people write who want something of the one that they write
// to. Without any of that, a trade with a link is an offer.
var customers = compileAll(
	`\b(?:i|we) (?:need|want|wish|require|am looking|are looking|'?d like|would like|have to)\b|\b(?:i'm|we're|i am|we are) (?:interested|looking|planning|trying)\b|\b(?:my|our) (?:own |new |old )?(?:web ?site|site|shop|store|business|company|page|office|order|account)\b|\b(?:do|can|could|will|would) you (?:have|offer|do|sell|accept|provide|take|help|tell|send|call|give|please|make|also)\b|how much|what (?:do|does|is|are|would) (?:you|your|it|the)\b|please (?:call|send|ring|contact|tell)|\bquote for\b`,
	`мне нужн|нам нужн|хочу|хотел|интересует|подскажите|сколько стоит|(?:наш|мой) сайт|перезвоните`,
	`我想|我们想|想了解|想咨询|请问|需要|我的网站|多少钱`,
	`मुझे|हमें|चाहिए|कितना|कृपया|हमारी (?:वेब)?साइट|मेरी`,
	`\b(?:preciso|precisamos|quero|gostaria|quanto custa|necesito|necesitamos|quiero|quisiera|cuánto|meu site|nosso site|mi web|nuestra web|je voudrais|j'aimerais|nous cherchons|notre site|mon site|combien|ich möchte|wir möchten|wir suchen|unsere (?:seite|website|webseite)|was kostet|vorrei|quanto costa|il nostro sito)`, //nolint:misspell // Spanish
	`أريد|نريد|أحتاج|بحاجة|كم سعر|موقعي|موقعنا`,
)

// What an offer weighs. A trade alone is what customers of that trade write
// about; with the way in which strangers come with it, a second trade, or a
// link and nothing that a customer says, it is an offer.
const (
	weightTrade = 2
	weightOffer = 4
)

// offers returns what speaks for the offer of somebody who is no customer, in
// all that a visitor wrote.
func offers(text string, hasLink bool) Opinion {
	text = strings.ToLower(ends(text))
	found := countMatches(trades, text)
	if found == 0 {
		return nil
	}
	if found > 1 || countMatches(approaches, text) > 0 || hasLink && countMatches(customers, text) == 0 {
		return Opinion{{"an offer such as strangers send to every form", weightOffer}}
	}
	return Opinion{{"a trade that is often offered by strangers", weightTrade}}
}

func countMatches(lists []phrases, text string) int {
	n := 0
	for _, list := range lists {
		if list.in(text) {
			n++
		}
	}
	return n
}
