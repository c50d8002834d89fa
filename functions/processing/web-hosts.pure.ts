const list = (text: string): Set<string> => new Set(text.trim().split(/\s+/));

/** Providers of mailboxes whose domains say nothing of a company, and domains that nobody has. Made by hand. */
const mailboxes = list(`
  gmail.com googlemail.com icloud.com me.com mac.com ymail.com rocketmail.com mail.com email.com usa.com post.com
  fastmail.com fastmail.fm hey.com duck.com proton.me pm.me tuta.io tuta.com zoho.com hushmail.com inbox.com
  privaterelay.appleid.com users.noreply.github.com comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net
  charter.net earthlink.net optonline.net juno.com netzero.net frontier.com windstream.net roadrunner.com rogers.com
  shaw.ca telus.net sympatico.ca videotron.ca btinternet.com btopenworld.com talktalk.net ntlworld.com virginmedia.com
  blueyonder.co.uk sky.com tiscali.co.uk plus.net eircom.net bigpond.com bigpond.net.au optusnet.com.au iinet.net.au
  xtra.co.nz telkomsa.net mweb.co.za vodamail.co.za rediffmail.com sify.com
  web.de t-online.de freenet.de arcor.de online.de email.de mail.de posteo.de mailbox.org magenta.de unitybox.de
  kabelmail.de vodafone.de a1.net chello.at aon.at bluewin.ch sunrise.ch hispeed.ch
  orange.fr wanadoo.fr free.fr sfr.fr laposte.net neuf.fr bbox.fr numericable.fr club-internet.fr cegetel.net voila.fr
  telenet.be skynet.be proximus.be scarlet.be
  libero.it virgilio.it tiscali.it alice.it tin.it tim.it inwind.it iol.it fastwebnet.it email.it poste.it pec.it
  telefonica.net ono.com terra.es movistar.es ya.com uol.com.br bol.com.br terra.com.br ig.com.br globo.com
  globomail.com oi.com.br r7.com zipmail.com.br sapo.pt clix.pt netcabo.pt prodigy.net.mx terra.com
  ziggo.nl kpnmail.nl kpnplanet.nl planet.nl xs4all.nl home.nl hetnet.nl upcmail.nl casema.nl quicknet.nl zonnet.nl
  online.nl telfort.nl chello.nl online.no telia.com bredband.net comhem.se spray.se mail.dk jubii.dk luukku.com
  wp.pl o2.pl onet.pl onet.eu op.pl interia.pl interia.eu gazeta.pl poczta.fm tlen.pl vp.pl seznam.cz email.cz centrum.cz
  post.cz volny.cz azet.sk centrum.sk zoznam.sk freemail.hu citromail.hu abv.bg mail.bg ukr.net i.ua meta.ua
  mail.ru bk.ru inbox.ru list.ru rambler.ru ya.ru internet.ru mynet.com walla.com walla.co.il
  docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp ocn.ne.jp so-net.ne.jp
  plala.or.jp dion.ne.jp infoseek.jp excite.co.jp goo.jp
  qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn aliyun.com tom.com 21cn.com
  naver.com hanmail.net daum.net nate.com kakao.com pchome.com.tw hinet.net seed.net.tw netvigator.com
  mailinator.com guerrillamail.com 10minutemail.com yopmail.com trashmail.com tempmail.com temp-mail.org sharklasers.com
  getnada.com maildrop.cc dispostable.com throwawaymail.com
  example.com example.org example.net domain.com test.com company.com yourcompany.com email.tld localhost.localdomain`);
/** Those of many countries: `yahoo.co.jp`, `gmx.at`. */
const mailboxBrands =
  /^(?:yahoo|hotmail|outlook|live|msn|gmx|aol|yandex|protonmail|tutanota|zohomail|fastmail|windowslive|passport)\.[a-z.]{2,7}$/;

/** Sites whose pages are those of their users. */
const networks = list(`
  linkedin.com lnkd.in facebook.com fb.com fb.me instagram.com twitter.com x.com threads.net youtube.com youtu.be
  tiktok.com xing.com pinterest.com linktr.ee bit.ly t.co t.me wa.me whatsapp.com goo.gl g.page g.co medium.com
  crunchbase.com wellfound.com angel.co yelp.com yelp.de trustpilot.com tripadvisor.com calendly.com about.me
  behance.net dribbble.com vimeo.com soundcloud.com snapchat.com reddit.com vk.com weibo.com line.me lin.ee note.com
  ameblo.jp kununu.com glassdoor.com indeed.com wikipedia.org notion.site notion.so beacons.ai tumblr.com`);
/** Companies whose sites have pages of others. */
const platforms =
  /(?:^|\.)(?:google|amazon|ebay|etsy|github|gitlab|rakuten|apple|microsoft|tripadvisor|yelp|indeed|shopee|mercadolibre|mercadolivre)\.[a-z.]{2,6}$/;

const isUnder = (host: string, hosts: ReadonlySet<string>): boolean => {
  const labels = host.split('.');
  return labels.some((_, i) => hosts.has(labels.slice(i).join('.')));
};

const isMailbox = (host: string): boolean => isUnder(host, mailboxes) || mailboxBrands.test(host);

const address =
  /^(?:https?:\/\/)?(?:www\d?\.)?((?:[\p{L}\p{N}_-]{1,63}\.){1,8}\p{L}[\p{L}\p{N}-]{1,62})(?::\d+)?(?:[/?#](\S*))?$/iu;

/** The domain of a company's site, without `www`; undefined: there is none, or it is that of a network or of mailboxes. */
export function siteHost(text: string): string | undefined {
  const [, host = '', path = ''] = address.exec(text.trim().slice(0, 500)) ?? [];
  const domain = host.toLowerCase();
  if (domain === '' || isUnder(domain, networks) || isMailbox(domain)) return undefined;
  return path !== '' && platforms.test(domain) ? undefined : domain;
}

const companyPage =
  /(?:linkedin\.com\/(?:company|school|showcase)|xing\.com\/(?:companies|pages))\/([^/?#\s]{1,200})/i;

/** The words of a company's page on LinkedIn or Xing; undefined: it is no such page, or has a number for a name. */
export function companyPageName(text: string): string | undefined {
  const [, slug = ''] = companyPage.exec(text.slice(0, 500)) ?? [];
  const words = decoded(slug)
    .split(/[-_.+\s]+/)
    .filter(Boolean);
  return words.some((word) => /\p{L}/u.test(word)) ? words.join(' ') : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const emails = /([^\s@<>,;:"'()]{1,64})@((?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24})/giu;

export type Email = { text: string; local: string; host: string; isMailbox: boolean };

/** The addresses in a cell, at most five. */
export const emailsIn = (cell: string): Email[] =>
  cell.includes('@')
    ? [...cell.slice(0, 500).matchAll(emails)].slice(0, 5).map(([text, local = '', host = '']) => {
        const domain = host
          .toLowerCase()
          .replace(/^(?:www|e?mail|webmail|smtp|mx\d?)\.(?=.+\.)/, '');
        return { text, local, host: domain, isMailbox: isMailbox(domain) };
      })
    : [];
