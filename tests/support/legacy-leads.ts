/** Leads as people have them, by language: names, companies, cities; and the header they come with. */
type Texts = { header: string; names: string[]; companies: string[]; cities: string[] };

const words = (text: string): string[] => text.split('|');
const texts = (header: string, names: string, companies: string, cities: string): Texts => ({
  header,
  names: words(names),
  companies: words(companies),
  cities: words(cities),
});

export const leads = {
  japanese: texts(
    '氏名,会社名,市区町村',
    '佐藤 美咲|鈴木 健太|高橋 由美|渡辺 大輔|伊藤 さくら|中村 翔太|小林 恵|加藤 拓也|吉田 真理子|山田 太郎',
    '株式会社日立製作所|トヨタ自動車株式会社|任天堂株式会社|有限会社さくら印刷|みずほ銀行|ソフトバンクグループ株式会社|株式会社オリエンタルランド|カシオ計算機|楽天グループ',
    '東京都渋谷区|大阪市北区|横浜市|名古屋市中区|札幌市|福岡市博多区|京都市|神戸市|さいたま市',
  ),
  simplified: texts(
    '姓名,公司,城市',
    '王伟|李娜|张敏|刘洋|陈静|杨帆|赵磊|黄丽华|周建国|吴晓明|徐海燕|孙志强',
    '华为技术有限公司|腾讯科技|阿里巴巴集团|中国平安保险|比亚迪股份有限公司|联想集团|美的集团|海尔智家|小米科技|京东物流',
    '北京市|上海|广州|深圳市南山区|杭州|成都|武汉|西安|南京|重庆',
  ),
  traditional: texts(
    '姓名,公司,城市',
    '陳志明|林淑芬|黃雅婷|張家豪|李美玲|王俊傑|吳怡君|劉建宏|蔡依林|楊宗翰',
    '台灣積體電路製造股份有限公司|鴻海精密工業|聯發科技|華碩電腦|長榮航空|統一企業|國泰金融控股|中華電信|廣達電腦',
    '台北市|新北市板橋區|台中市|高雄市|新竹市|桃園市|台南市|基隆市',
  ),
  korean: texts(
    '이름,회사,도시',
    '김민수|이서연|박지훈|최유진|정현우|강수빈|조영호|윤미경|장동건|임하늘',
    '삼성전자 주식회사|현대자동차|네이버|카카오|대한항공|신한은행|롯데쇼핑|한국전력공사|셀트리온|쿠팡',
    '서울특별시 강남구|부산광역시|대구|인천|광주|대전|울산|수원시|제주시',
  ),
  polish: texts(
    'imię,firma,miasto',
    'Łukasz Wiśniewski|Małgorzata Wójcik|Paweł Dąbrowski|Agnieszka Zielińska|Michał Szymański|Grażyna Woźniak|Stanisław Kozłowski|Elżbieta Jabłońska|Krzysztof Król|Żaneta Nowicka',
    'Żabka Polska|Grupa Łączności|Zakłady Mięsne Łuków|Biuro Rachunkowe Gąska|Spółdzielnia Mleczarska|Piekarnia Świętokrzyska|Usługi Budowlane Górski',
    'Łódź|Kraków|Poznań|Gdańsk|Wrocław|Częstochowa|Białystok|Rzeszów|Toruń',
  ),
  czech: texts(
    'jméno,společnost,město',
    'Jiří Dvořák|Tereza Svobodová|Tomáš Černý|Lucie Procházková|Ondřej Růžička|Kateřina Němcová|Václav Šťastný|Žaneta Křížová|Matěj Kučera',
    'Škoda Auto|České dráhy|Plzeňský Prazdroj|Stavební firma Novák|Účetnictví Dvořáková|Zemědělské družstvo Říčany',
    'Plzeň|Ústí nad Labem|České Budějovice|Hradec Králové|Děčín|Třebíč|Přerov|Žďár nad Sázavou',
  ),
  hungarian: texts(
    'név,cég,város',
    'Szabó Gergő|Kovács Tünde|Tóth Győző|Horváth Zsófia|Nagy Erzsébet|Kőszegi Ferenc|Szűcs Réka|Fülöp Ágnes|Erdős Pál',
    'Győri Keksz|Első Magyar Biztosító|Műszaki Szolgáltató|Közép-dunai Építő|Fűszer és Méz|Sütőipari Szövetkezet',
    'Győr|Kecskemét|Szeged|Hódmezővásárhely|Székesfehérvár|Sopron|Gödöllő|Mezőkövesd',
  ),
  russian: texts(
    'имя,компания,город',
    'Иван Петров|Мария Кузнецова|Сергей Иванов|Ольга Смирнова|Дмитрий Соколов|Екатерина Лебедева|Алексей Морозов|Наталья Щербакова|Юрий Цветков|Фёдор Жуков',
    'ООО Ромашка|ЗАО Строймонтаж|Газпром нефть|Сбербанк|ИП Кузьмин|Торговый дом Восток|Завод Электросила|Яндекс',
    'Москва|Санкт-Петербург|Новосибирск|Екатеринбург|Казань|Нижний Новгород|Челябинск|Уфа|Ярославль',
  ),
  german: texts(
    'Name,Firma,Straße',
    'Jürgen Müller|Käthe Schröder|Björn Groß|Anna Schäfer|Günther Weiß|Sören Krüger|Ute Böhm|Lothar König|Jörg Händel',
    'Bäckerei Schönfeld|Gebrüder Weiß GmbH|Möbelhaus Köhler|Stadtwerke München|Süddeutsche Getränke|Fahrräder Groß',
    'Hauptstraße 5|Königsallee 12|Am Südring 3|Grüner Weg 8|Bahnhofstraße 1|Schloßgasse 7',
  ),
  french: texts(
    'Prénom,Société,Ville',
    'Hélène Lefèvre|François Bérard|Zoé Gérard|Jérôme Guérin|Anaïs Benoît|Élodie Chrétien|Loïc Mâcon|Noël Châtelain|Maëlle Béguin',
    'Boulangerie Pâtisserie Crème|Société Générale|L’Oréal Cosmétiques|Crédit Agricole|Bâtiment Rhône-Alpes|Hôtel du Théâtre',
    'Orléans|Besançon|Nîmes|Saint-Étienne|Angoulême|Béziers|Mâcon|Châlons',
  ),
  spanish: texts(
    'nombre,compañía,ciudad',
    'José Muñoz|María Peña|Íñigo Ibáñez|Lucía Núñez|Ramón Gutiérrez|Begoña Martínez|Óscar Jiménez|Sofía Rodríguez|Andrés Cañizares',
    'Telefónica España|Panadería La Niña|Construcciones Peñalver|Jamón Ibérico Cañada|Asesoría Fernández|Limpiezas Señorío',
    'Málaga|Logroño|A Coruña|Cádiz|León|Ávila|San Sebastián|Córdoba',
  ),
  portuguese: texts(
    'nome,empresa,cidade',
    'João Gonçalves|Conceição Araújo|Antônio Magalhães|Inês Simões|Márcia Leitão|Luís Brandão|Érica Conceição|Sebastião Guimarães',
    'Padaria Pão de Açúcar|Construções Irmãos Leão|Comércio de Calçados|Farmácia São João|Informática e Soluções',
    'São Paulo|Brasília|Florianópolis|Goiânia|Maceió|São Luís|Jundiaí|Ribeirão Preto',
  ),
  swedish: texts(
    'namn,företag,ort',
    'Åsa Lindström|Björn Sjögren|Märta Öberg|Göran Håkansson|Malin Åkerlund|Jörgen Söderberg|Pär Nyström',
    'Bageri Kärlek|Göteborgs Hamn|Trävaror i Skåne|Västerås Bygg|Fjällräven|Ångpanneföreningen',
    'Göteborg|Malmö|Västerås|Örebro|Linköping|Jönköping|Umeå|Gävle|Borås',
  ),
  danish: texts(
    'navn,firma,by',
    'Søren Jørgensen|Åse Nørgaard|Mærsk Møller|Lærke Sørensen|Jørn Bækgaard|Bjørn Østergård|Kåre Ødegård',
    'Bryggeriet Ægir|Malerfirmaet Grøn|Ørsted Vindkraft|Fiskehuset Hvide Måge|Tømrer Kjær|Smørrebrød og Øl',
    'København|Århus|Tromsø|Ålborg|Helsingør|Bodø|Køge|Næstved',
  ),
  greek: texts(
    'όνομα,εταιρεία,πόλη',
    'Γιώργος Παπαδόπουλος|Μαρία Νικολάου|Δημήτρης Γεωργίου|Ελένη Κωνσταντίνου|Χρήστος Ψαράς|Αγγελική Ξένου|Θανάσης Ζαφείρης|Άννα Όθωνος',
    'Εθνική Τράπεζα|Ελληνικά Πετρέλαια|Τουριστικές Επιχειρήσεις|Αφοί Βασιλείου|Φαρμακείο Υγεία|Έπιπλα Οίκος',
    'Αθήνα|Θεσσαλονίκη|Πάτρα|Ηράκλειο|Λάρισα|Βόλος|Ιωάννινα|Χανιά',
  ),
  turkish: texts(
    'ad,şirket,şehir',
    'Ayşe Yılmaz|Çağrı Öztürk|Gülşen Şahin|İbrahim Doğan|Işıl Kılıç|Uğur Çelik|Şükrü Aydın|Müge Özdemir',
    'Türk Hava Yolları|Koç Holding|Şişecam|Yıldız Gıda|İnşaat ve Mühendislik|Doğuş Otomotiv|Işık Tekstil',
    'İstanbul|İzmir|Diyarbakır|Eskişehir|Muğla|Şanlıurfa|Beşiktaş|Çanakkale',
  ),
  hebrew: texts(
    'שם,חברה,עיר',
    'יוסף כהן|רחל לוי|דוד מזרחי|שרה פרץ|משה ביטון|מרים אברהם|אורי פרידמן|נועה שפירא',
    'בנק הפועלים|טבע תעשיות|אל על נתיבי אויר|חברת החשמל|קפה עלית|מאפיית ברמן',
    'תל אביב|ירושלים|חיפה|באר שבע|נתניה|רמת גן|פתח תקווה|אשדוד',
  ),
  arabic: texts(
    'الاسم,الشركة,المدينة',
    'محمد أحمد|فاطمة الزهراء|علي حسن|خالد العتيبي|نورة القحطاني|يوسف إبراهيم|مريم سعيد|عبد الله ناصر',
    'شركة الاتصالات|بنك الراجحي|مجموعة الفطيم|مؤسسة النور للتجارة|مصنع الألبان|دار النشر العربية',
    'الرياض|القاهرة|جدة|دبي|أبو ظبي|الدوحة|بيروت|الإسكندرية',
  ),
  latvian: texts(
    'vārds,uzņēmums,pilsēta',
    'Jānis Bērziņš|Līga Kalniņa|Andris Ozoliņš|Zane Krūmiņa|Mārtiņš Liepiņš|Ģirts Šķēle|Kristīne Žagare|Rūta Ābele',
    'Latvijas Dzelzceļš|Rīgas Satiksme|Lāčplēša Alus|Būvniecības Uzņēmums Ēka|Maiznīca Ķekava|Jūras Zvejnieki',
    'Rīga|Liepāja|Jūrmala|Rēzekne|Jēkabpils|Ogre|Cēsis|Kuldīga',
  ),
  lithuanian: texts(
    'vardas,įmonė,miestas',
    'Jonas Žukauskas|Eglė Petrauskienė|Rūta Jankauskaitė|Mindaugas Šimkus|Živilė Kačinskienė|Vytautas Čepaitis|Jūratė Grigaitė',
    'Lietuvos Geležinkeliai|Statybų Įmonė Ąžuolas|Žemaitijos Pienas|Šilumos Tinklai|Kauno Duona ir Sūris',
    'Šiauliai|Panevėžys|Klaipėda|Telšiai|Mažeikiai|Utena|Kėdainiai|Biržai',
  ),
} satisfies Record<string, Texts>;

export type Language = keyof typeof leads;

/** Rows of leads, the same for the same seed; they differ in their last cell. */
export function leadsCsv(language: Language, rows: number, seed: number): string {
  const { header, names, companies, cities } = leads[language];
  let state = seed + 1;
  const next = (list: string[]): string => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return list[(state >>> 8) % list.length] ?? '';
  };
  const lines = Array.from(
    { length: rows },
    (_, i) => `${next(names)},${next(companies)},${next(cities)},info${i}@example.com`,
  );
  return `${[`${header},e-mail`, ...lines].join('\r\n')}\r\n`;
}
