//! The kinds of credentials, and their stable names.

/// What a credential looks like.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the stable name says all there is to say")]
pub enum SecretType {
    AnthropicApiKey,
    OpenAiApiKey,
    OpenRouterApiKey,
    XaiApiKey,
    GroqApiKey,
    GoogleApiKey,
    GoogleOauthSecret,
    HuggingFaceToken,
    GithubToken,
    GitlabToken,
    NpmToken,
    PypiToken,
    TelegramBotToken,
    DiscordBotToken,
    SlackToken,
    SlackWebhook,
    StripeSecretKey,
    SendgridApiKey,
    DigitalOceanToken,
    AwsAccessKeyId,
    AwsSecretAccessKey,
    PrivateKey,
    Jwt,
    UrlPassword,
    BasicAuthB64,
    GenericHighEntropy,
}

impl SecretType {
    /// The stable name, as the wire formats have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnthropicApiKey => "anthropic_api_key",
            Self::OpenAiApiKey => "openai_api_key",
            Self::OpenRouterApiKey => "openrouter_api_key",
            Self::XaiApiKey => "xai_api_key",
            Self::GroqApiKey => "groq_api_key",
            Self::GoogleApiKey => "google_api_key",
            Self::GoogleOauthSecret => "google_oauth_secret",
            Self::HuggingFaceToken => "huggingface_token",
            Self::GithubToken => "github_token",
            Self::GitlabToken => "gitlab_token",
            Self::NpmToken => "npm_token",
            Self::PypiToken => "pypi_token",
            Self::TelegramBotToken => "telegram_bot_token",
            Self::DiscordBotToken => "discord_bot_token",
            Self::SlackToken => "slack_token",
            Self::SlackWebhook => "slack_webhook",
            Self::StripeSecretKey => "stripe_secret_key",
            Self::SendgridApiKey => "sendgrid_api_key",
            Self::DigitalOceanToken => "digitalocean_token",
            Self::AwsAccessKeyId => "aws_access_key_id",
            Self::AwsSecretAccessKey => "aws_secret_access_key",
            Self::PrivateKey => "private_key",
            Self::Jwt => "jwt",
            Self::UrlPassword => "url_password",
            Self::BasicAuthB64 => "basic_auth_b64",
            Self::GenericHighEntropy => "generic_high_entropy",
        }
    }
}
